"""The words of a chart are shaped as those of a table, shown with a font whose letters join and mirror by a rule."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pikepdf
import pytest

from core.content.assets import Asset, Assets
from core.reporting import chart_text
from core.reporting.legibility import font_warning
from core.reporting.pdf import render_pdf
from tests.support.made_run import made_run
from tests.support.tiny_font import tiny_font

WORD = "قط"  # shaped into one glyph of the font below, and written from right to left otherwise
FEATURE = "languagesystem DFLT dflt; languagesystem arab dflt; feature rlig { sub u0642 u0637 by joined; } rlig;"
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="200" height="40"><title>t</title>'
    f'<text x="100" y="20" text-anchor="end" font-family="Tiny" font-size="16">{WORD}</text></svg>'
)


@pytest.fixture(scope="module")
def font(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tiny_font(tmp_path_factory.mktemp("font") / "tiny.ttf", f"ab {WORD}", FEATURE, extra=("joined",))
    return path.read_bytes()


def page_of(font: bytes) -> tuple[str, Assets]:
    assets = Assets()
    assets.items["tiny.ttf"] = Asset(font, "font/ttf")
    chart = assets.address(assets.chart(SVG), standalone=False)
    return (
        '<html lang="en"><head><title>t</title><style>@font-face { font-family: Tiny; src: url("audit://tiny.ttf") }'
        f' p {{ font-family: Tiny }}</style></head><body><p>{WORD}</p><img src="{chart}" alt="t"></body></html>'
    ), assets


def shown(pdf: bytes) -> list[list[bytes]]:
    """For each line of text in a PDF, in any of its streams, the codes of its glyphs, two bytes each."""
    lines: list[list[bytes]] = []
    with pikepdf.open(io.BytesIO(pdf)) as document:
        streams: Iterator[pikepdf.Object] = (
            part for part in document.objects if isinstance(part, pikepdf.Stream) and _is_drawn(document, part)
        )
        for stream in streams:
            for instruction in pikepdf.parse_content_stream(stream):
                if str(instruction.operator) in ("TJ", "Tj"):
                    (operand,) = instruction.operands
                    parts = operand if isinstance(operand, pikepdf.Array) else [operand]
                    text = b"".join(bytes(part) for part in parts if isinstance(part, pikepdf.String))
                    lines.append([text[at : at + 2] for at in range(0, len(text), 2)])
    return lines


def _is_drawn(document: pikepdf.Pdf, part: pikepdf.Object) -> bool:
    pages = {page.Contents.objgen for page in document.pages}
    return part.objgen in pages or part.get("/Subtype") == "/Form"


def test_a_chart_shapes_a_word_as_a_table_does(font: bytes) -> None:
    html, assets = page_of(font)
    pdf = render_pdf(html, assets, created="2026-01-15T09:41:30Z", attached=("a.json", b"{}"))
    in_text, in_chart = shown(pdf)
    assert len(in_text) == 1 and in_chart == in_text


def test_without_it_the_letters_of_a_chart_stand_alone(font: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    from weasyprint import HTML
    from weasyprint.svg import Node
    from weasyprint.urls import URLFetcherResponse

    html, assets = page_of(font)

    def fetch(url: str, *_: object, **__: object) -> URLFetcherResponse:
        asset = assets.items[url.removeprefix("audit://")]
        return URLFetcherResponse(url, asset.data, {"Content-Type": asset.media})

    def lines() -> list[list[bytes]]:
        return shown(HTML(string=html, base_url="audit://page", url_fetcher=fetch).write_pdf(uncompressed_pdf=True))

    monkeypatch.setattr(Node, "text", Node.text)  # put back at the end
    before = lines()
    assert len(before) == 3 and before[1:] != before[:1]
    chart_text.lay_out_whole()
    after = lines()
    assert len(after) == 2 and after[0] == after[1] == before[0]


def test_a_whole_text_is_one_part_and_otherwise_a_text() -> None:
    text = chart_text.WholeText("two words")
    assert list(text) == ["two words"] and list(chart_text.WholeText("")) == []
    assert text == "two words" and len(text) == 9 and text.split() == ["two", "words"]


def test_a_report_names_the_fonts_that_it_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from core.content import glyphs
    from core.reporting import render_report

    run = made_run(tmp_path / "run", images=4, methods=("raw",), note=" 猫")
    monkeypatch.setattr(glyphs, "_covered", lambda asked, files: {code for code in asked if chr(code) != "猫"})
    page = (render_report(run).parent / "report.html").read_text()
    line = font_warning(run)
    assert "(Han: U+732B)" in line and "fonts-noto-cjk" in line
    assert page.count("Missing fonts.") == 1 and page.count("fonts-noto-cjk (Noto Sans CJK)") >= 2
    monkeypatch.setattr(glyphs, "_covered", lambda asked, files: asked)
    assert font_warning(run) == ""
    assert "Missing fonts" not in (render_report(run).parent / "report.html").read_text()
