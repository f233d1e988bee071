"""Home: three ways to begin, each of which leads somewhere."""

from __future__ import annotations

from pathlib import Path

from core.datasets import ingest
from core.extents import EXTENTS
from core.methods import METHODS
from core.runs import Run
from core.runs.shelf import open_elsewhere, shelf_id
from core.settings import ROOT, datasets_folder, runs_folder
from pages.parts import presets, sample
from tests.pages.test_pages import opened, words
from tests.support.made_run import made_run

SMALL = ROOT / "tests" / "sample"


def test_it_says_what_loupe_is_and_needs_and_lists_no_run() -> None:
    app = opened("home")
    said = words(app)
    assert "What it needs" in said and "There is none yet" in said
    assert [item.value for item in app.header] == ["Try the demo", "Audit my model", "Open an audit"]


def test_the_demo_leads_to_the_form_with_the_sample() -> None:
    stored = ingest([SMALL / "images", SMALL / "captions.csv"], store=datasets_folder(), name=sample.NAME)
    app = opened("home")
    next(button for button in app.button if button.label == "Try the demo").click().run()
    assert not app.exception and app.title[0].value == "Audit"
    assert app.session_state["dataset_id"] == stored.id
    assert any(button.label == "Start the audit" for button in app.button)
    # The form begins with the quickest of the starting points, and only once.
    quick = EXTENTS["quick"]
    assert app.session_state["effort"] == quick.effort and presets.WANTED not in app.session_state
    chosen = {name for name in METHODS if app.session_state[f"method-{name}"]}
    assert chosen == set(quick.methods(METHODS)) and chosen != set(EXTENTS["standard"].methods(METHODS))


def test_the_demo_stores_the_sample_first_where_it_is_not_stored() -> None:
    app = opened("home")
    next(button for button in app.button if button.label == "Try the demo").click().run()
    assert not app.exception and app.title[0].value == "Audit"
    assert any(button.label == "Start the audit" for button in app.button)


def test_an_audit_is_opened_where_it_stands() -> None:
    runs: list[Run] = [made_run(runs_folder() / "20260115-093000-abcdef")]
    runs.append(made_run(runs_folder() / "20260116-093000-abcdef", finished=False))
    for run, title in zip(runs, ("Findings", "Audit"), strict=True):
        app = opened("home")
        app.button(key=f"open-{run.id}").click().run()
        assert not app.exception and app.title[0].value == title
        assert app.session_state["run_id"] == run.id


def test_an_audit_of_another_folder_is_listed_too(tmp_path: Path) -> None:
    run = open_elsewhere(made_run(tmp_path / "elsewhere" / "demo").folder)
    app = opened("home")
    assert "There is none yet" not in words(app)
    assert [link.proto.label for link in app.get("page_link")] == ["All audits (1)"]
    app.button(key=f"open-{shelf_id(run)}").click().run()
    assert not app.exception and app.title[0].value == "Findings"
    assert app.session_state["run_id"] == shelf_id(run) != run.id
