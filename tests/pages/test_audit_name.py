"""The name of a new audit: two audits of the same images differ by more than their date."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.datasets import ingest
from core.runs import Run, list_runs
from core.runs.shelf import label_of, set_label
from core.settings import ROOT, datasets_folder, runs_folder
from pages.parts import state
from pages.parts.audit_name import numbered
from tests.pages.test_pages import opened, start_recorded, unfolded, words

SMALL = ROOT / "tests" / "sample"
TAKEN = "Another audit has this name already"


@pytest.fixture(autouse=True)
def dataset(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    start_recorded(monkeypatch)
    return ingest([SMALL / "images", SMALL / "captions.csv"], store=datasets_folder(), name="Mine").id


def name(app: AppTest) -> Any:
    return next(field for field in app.text_input if field.label == "Name of the audit")


def started(app: AppTest) -> Run:
    before = {run.id for run in list_runs(runs_folder())}
    next(button for button in app.button if button.label == "Start the audit").click()
    assert not app.run().exception
    (new,) = (run for run in list_runs(runs_folder()) if run.id not in before)
    return new


def test_an_audit_is_called_after_its_dataset_and_the_next_one_has_a_number() -> None:
    app = opened("audit")
    assert name(app).value == "Audit of Mine" and TAKEN not in words(app)
    first = started(app)
    # The report has the name too: nothing beside the plan says it.
    assert first.plan.declared.title == state.title_of(first) == "Audit of Mine" and not label_of(first.id).name
    app.session_state["audit_view"] = "new"
    assert name(app.run()).value == "Audit of Mine 2" and TAKEN not in words(app)
    name(app).set_value("Audit of Mine").run()
    assert TAKEN in words(app)
    name(app).set_value("May").run()
    assert TAKEN not in words(app)
    second = started(app)
    assert state.title_of(second) == "May" and state.run_label(second).startswith("May · ")
    app.session_state["audit_view"] = "new"
    assert name(app.run()).value == "Audit of Mine 2"


def test_a_declared_title_is_that_of_the_report_alone() -> None:
    app = unfolded(opened("audit"), "declarations")
    next(field for field in app.text_input if field.label == "Title of the report").set_value("For the board").run()
    run = started(app)
    assert run.plan.declared.title == "For the board" and label_of(run.id).name == "Audit of Mine"


def test_a_repeated_or_copied_audit_has_another_name() -> None:
    first = started(opened("audit"))
    set_label(first.id, "Release")
    app = opened("runs", first)
    next(button for button in app.button if button.label == "Edit and run again").click().run()
    app.switch_page("pages/audit.py").run()
    again = started(app)
    # The plan is the same one, also in what its report is called.
    assert state.title_of(again) == "Release 2" and again.plan.digest == first.plan.digest
    app = opened("runs", first)
    next(button for button in app.button if button.label == "Duplicate").click().run()
    assert {state.title_of(run) for run in list_runs(runs_folder())} == {"Release", "Release 2", "Release 3"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [("a", "a 3"), ("a 2", "a 3"), ("b", "b"), ("photos 2024", "photos 2024 2"), ("x" * 200, "x" * 117)],
)
def test_the_number_is_the_first_that_is_free(given: str, expected: str) -> None:
    assert numbered(given, {"a", "a 2", "photos 2024"}) == expected
