"""The page of several models in another language and house style; the values beside it are the same in each."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from core.applications.knowledge.across import side_by_side
from core.cli import main
from core.content.house_style import HouseStyle, in_language, keep_house_style
from core.content.side_by_side import SideBySide
from core.languages import Catalogue, Voice, speaking
from core.reporting.models_page import ModelEntry, write_models
from core.runs import Run
from tests.reporting.test_language_edition import CLOSE, OPEN, data_words, marked_voice, unmarked
from tests.support.made_knowledge import made_knowledge
from tests.support.made_run import made_run


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """Twelve models, so that there is a rank correlation over them."""
    folder = tmp_path_factory.mktemp("models")
    found = {}
    for seed in range(12):
        found[f"demo {seed}"] = made_run(folder / f"run-{seed}", images=6)
        made_knowledge(found[f"demo {seed}"], seed=seed, labels=True)
    return found


def written(folder: Path, runs: dict[str, Run], voice: Voice) -> tuple[str, str, SideBySide]:
    """The page with the words of its chart, the Markdown, and what they were written from."""
    entries = [ModelEntry(name, "red" if name == "demo 3" else "") for name in runs]
    entries.append(ModelEntry("demo x", "", "red"))
    with speaking(voice):
        part = side_by_side(runs)
        folder.mkdir()
        write_models(folder, entries, [("knowledge", part)])
    page = (folder / "models.html").read_text(encoding="utf-8")
    labels = re.findall(r"<text[^>]*>[^<]*</text>", (folder / "knowledge-removal.svg").read_text(encoding="utf-8"))
    return (
        page + "".join(re.sub("<text[^>]*>", "<text>", label) for label in labels),
        (folder / "models.md").read_text(encoding="utf-8"),
        part,
    )


def test_every_text_of_the_page_comes_from_the_catalogue(runs: dict[str, Run], tmp_path: Path) -> None:
    voice = marked_voice()
    page, text, part = written(tmp_path / "marked", runs, voice)
    known = data_words(runs["demo 0"]) | {"knowledge", "removal", "svg"}
    assert len(part.tables) == 3, "the table of rank correlations is printed too"
    assert unmarked(page) - known == set()
    assert unmarked(f">{text}<") - known == set()
    few, _, _ = written(tmp_path / "few", dict(list(runs.items())[:2]), voice)
    assert unmarked(few) - known == set()


@pytest.mark.parametrize("english", ["Models side by side", "reference", "removed concepts, the most relevant first"])
def test_the_check_sees_a_text_outside_the_catalogue(english: str, runs: dict[str, Run], tmp_path: Path) -> None:
    voice = marked_voice()
    without = {text: told for text, told in voice.catalogue.messages.items() if text != english}
    two = dict(list(runs.items())[:2])
    page, _, _ = written(tmp_path / "page", two, Voice(Catalogue("de", without, voice.catalogue.counted)))
    assert set(english.split()) & (unmarked(page) - data_words(runs["demo 0"]))


def test_the_command_writes_in_the_language_of_the_option_or_of_the_first_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = []
    for seed in range(2):
        made.append(made_run(tmp_path / f"run-{seed}", images=4))
        made_knowledge(made[-1], seed=seed)
    names = [str(run.folder) for run in made]

    def told(name: str, *more: str) -> tuple[str, dict[str, bytes], dict[str, object]]:
        assert main(["compare", *names, "--out", str(tmp_path / name), "--json", *more]) == 0
        data = json.loads(capsys.readouterr().out)
        files = {path.name: path.read_bytes() for path in (tmp_path / name).glob("*.parquet")}
        return (tmp_path / name / "models.html").read_text(encoding="utf-8"), files, data["knowledge"]

    english, values, data = told("plain")
    german, same, also = told("option", "--language", "de")
    assert '<html lang="en">' in english and "Models side by side" in english and "td { hyphens: auto" not in english
    assert '<html lang="de">' in german and "Modelle nebeneinander" in german and "td { hyphens: auto" in german
    assert "Area under" not in german and "models were measured" not in german
    assert same == values and also == data
    keep_house_style(made[0], in_language("de", HouseStyle(name="Example AG", colours={"accent": "#a3123a"})))
    styled, *_ = told("style")
    assert "Modelle nebeneinander" in styled and "Example AG" in styled and "#a3123a" in styled
    assert "Models side by side" in told("english", "--language", "en")[0]
    assert main(["compare", *names, "--out", str(tmp_path / "none"), "--language", "xx"]) == 2
    assert "no catalogue" in capsys.readouterr().err and not (tmp_path / "none").exists()
    assert OPEN not in styled and CLOSE not in styled
