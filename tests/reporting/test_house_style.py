"""A house style: what a folder may say, how its faults are told, and what a report shows of it."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from core.cli import main
from core.content.assets import Assets
from core.content.house_style import HOUSE_STYLE, HouseStyle, house_style, keep_house_style
from core.errors import InputError, RunError
from core.reporting import render_report
from core.reporting.house import House, _css, content, house
from core.reporting.style_folder import problems, read_style
from core.runs import Run, open_run
from tests.support.made_run import made_run

PO = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n\nmsgid "Limitations"\nmsgstr "Limites"\n'


def folder_of(place: Path, style: str, **files: bytes) -> Path:
    place.mkdir()
    (place / "style.toml").write_text(style, encoding="utf-8")
    for name, data in files.items():
        (place / name.replace("_", ".")).write_bytes(data)
    return place


def png() -> bytes:
    stream = io.BytesIO()
    Image.new("RGBA", (40, 20), (10, 120, 80, 128)).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return made_run(tmp_path_factory.mktemp("house") / "run", images=4, methods=("raw",))


def test_a_folder_becomes_one_file_of_the_run_and_enters_the_bundle(tmp_path: Path) -> None:
    made = made_run(tmp_path / "run", images=4, methods=("raw",))
    style = folder_of(
        tmp_path / "house",
        'name = "Made & Sons"\nlogo = "logo.png"\n[colours]\naccent = "#146e50"\n[wording]\n"Limitations" = "Limits"\n'
        '[blocks]\nclosing = "closing.txt"\n',
        logo_png=png(),
        closing_txt=b"Run {{ run }} <b>bold</b>\n\nSecond paragraph.",
    )
    assert problems(style) == []
    keep_house_style(made, read_style(style))
    again = open_run(tmp_path / "run")
    assert house_style(again).name == "Made & Sons" and house_style(again).media == "image/png"
    page = (render_report(again).parent / "report.html").read_text(encoding="utf-8")
    assert "Made &amp; Sons" in page and "#146e50" in page and "data:image/png" in page
    first = (again.report / "evidence.zip").read_bytes()
    assert HOUSE_STYLE.encode() in first
    render_report(again)
    assert (again.report / "evidence.zip").read_bytes() == first
    assert main(["verify", str(again.report / "evidence.zip")]) == 0


@pytest.mark.parametrize(
    ("style", "files", "why"),
    [
        ("nmae = 'x'", {}, "'nmae' is unknown"),
        ("language = 'tlh'", {}, "no catalogue of 'tlh'"),
        ("logo = '../logo.png'", {}, "must be the name of a file in the folder"),
        ("logo = 'logo.png'", {}, "logo.png cannot be read"),
        ("logo = 'logo.png'", {"logo_png": b"<svg/>"}, "not a PNG or JPEG"),
        ("[colours]\naccent = 'red; } body { display: none'", {}, "colours.accent"),
        ("[wording]\n'No such text' = 'x'", {}, "is not a text of this version"),
        ("[wording]\n'{checks} could not be decided' = 'open'", {}, "lacks {checks}"),
        ("[wording]\n'{checks} could not be decided' = '{checks.__class__}'", {}, "names {checks.__class__}"),
        ("[blocks]\nnowhere = 'a.txt'", {}, "'nowhere' is unknown"),
        ("[blocks]\ncover = 'a.txt'", {"a_txt": b"{{ secret }}"}, "names secret"),
        ("[blocks]\ncover = 'a.txt'", {"a_txt": b"{% if %}"}, "is not a template"),
        ("language = 'fr'\ncatalogue = 'fr.po'", {"fr_po": b"nothing"}, "not a catalogue"),
        (
            "language = 'fr'\ncatalogue = 'fr.po'",
            {"fr_po": PO.replace("Limitations", "Limitation").encode()},
            "is not a text of this version",
        ),
        ("this is no toml", {}, "is not valid TOML"),
    ],
)
def test_a_fault_is_told_in_one_line(style: str, files: dict[str, bytes], why: str, tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "house", style, **files)
    with pytest.raises(InputError) as told:
        read_style(folder)
    assert why in str(told.value) and "\n" not in str(told.value)


def test_every_fault_has_a_line(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "house", "nmae = 'x'\nlogo = 'a/b'\n[blocks]\nnowhere = 'c.txt'")
    assert len(problems(folder)) == 3
    with pytest.raises(InputError, match=r"\(and 2 more\)"):
        read_style(folder)


def test_another_language_comes_with_its_catalogue(tmp_path: Path) -> None:
    style = read_style(
        folder_of(tmp_path / "house", "language = 'fr'\ncatalogue = 'fr.po'\n", fr_po=PO.encode()),
    )
    assert style.language == "fr" and style.voice.message("Limitations") == "Limites"


def test_a_block_reaches_its_values_alone_and_is_escaped(run: Run) -> None:
    from core.content.context import ReportContext
    from core.findings import apply_rules
    from core.reporting.document import build_report
    from core.rules import Context

    judged = Context(run)
    report = build_report(ReportContext(judged, tuple(apply_rules(judged))))
    shown = house(HouseStyle(blocks={"cover": "{{ run }}\n\n<script>"}), Assets(), report)
    assert shown.blocks["cover"] == (run.id, "<script>")
    for hostile in (
        "{{ run.__class__.__mro__ }}",
        "{{ ''.join(range(10**9)) }}",
        "{{ 'x' * 10**9 }}",
        "{{ cycler }}x" * 900,
    ):
        with pytest.raises(RunError, match="a block of the house style"):
            house(HouseStyle(blocks={"cover": hostile}), Assets(), report)


def test_a_name_ends_no_style_and_colours_are_rules() -> None:
    assert "<" not in content("</style><script>alert(1)</script>") and content("") == '""'
    assert _css(HouseStyle()) == "" and House().name == "Loupe"
    css = _css(HouseStyle(name="A", colours={"accent": "#010203", "heading": "#040506"}))
    assert "h1, h2 { color: #040506; }" in css and '@top-right { content: "A"; color: #010203; }' in css


def test_a_damaged_file_is_told_in_one_line(tmp_path: Path) -> None:
    made = made_run(tmp_path / "run", images=2, methods=("raw",))
    (made.folder / HOUSE_STYLE).write_text('{"language": 7}')
    with pytest.raises(RunError, match="is damaged"):
        house_style(made)


def test_the_command_takes_a_language_and_refuses_one_without_a_catalogue(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = made_run(tmp_path / "run", images=2, methods=("raw",))
    assert main(["report", str(made.folder), "--language", "tlh"]) == 2
    assert "has no catalogue" in capsys.readouterr().err
    assert main(["report", str(made.folder), "--language", "de"]) == 0
    assert house_style(open_run(made.folder)).language == "de"
    assert main(["report", str(made.folder), "--language", "en"]) == 0
    assert not (made.folder / HOUSE_STYLE).exists()
