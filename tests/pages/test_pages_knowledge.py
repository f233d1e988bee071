"""The page of mutual knowledge: what is missing, and curves, measures and single images of one model or several."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.runs import Run
from core.settings import runs_folder
from tests.pages.test_pages import words
from tests.support.made_knowledge import made_knowledge
from tests.support.made_run import made_run
from tests.support.page_alone import links_as_words, opened_alone  # noqa: F401  # a fixture of every test here


def opened(run: Run | None) -> AppTest:
    return opened_alone("knowledge", run)


def labels(app: AppTest) -> str:
    return "\n".join(field.label for field in app.selectbox)


@pytest.fixture
def run(workspace: Path) -> Run:
    return made_run(runs_folder() / "20260115-093000-abcdef")


def test_without_a_run_or_a_record_it_says_how_to_get_one(workspace: Path) -> None:
    assert "appears here once an audit has run" in words(opened(None))
    run = made_run(runs_folder() / "20260115-093000-abcdef")
    assert "This audit does not include “Mutual knowledge”" in words(opened(run))


def test_one_model_is_shown_with_its_control_and_its_images(run: Run) -> None:
    made_knowledge(run, labels=True)
    app = opened(run)
    said = words(app)
    assert "Score while shared concepts are removed" in said and "Shared with the class." in said
    assert "its given label" in said
    assert "This analysis used no labels" not in said
    overlap, edits, decisions = (table.value for table in app.dataframe)
    assert overlap["Measure"].tolist()[:2] == ["Mutual-knowledge score", "Area under its removal curve"]
    assert overlap["Own class"].str.endswith("n = 4").all() and overlap["Other classes"].iloc[-1] == "not measured"
    assert edits["Measure"].str.endswith(" is better").all()
    accuracy = decisions[decisions["Share of images"] == "Zero-shot accuracy"]
    assert accuracy["Value"].iloc[0].startswith("1.00 [")
    # A chart of one model by two measures would be a single point.
    assert "One model has nothing to correlate with." in said and "Compare the area" not in labels(app)


def test_several_models_are_compared_and_their_differences_named(run: Run) -> None:
    made_knowledge(run)
    other = made_run(runs_folder() / "20260115-094500-abcdef", prefix="shape")
    # The same images, as a second audit of one stored dataset has them.
    plan = json.loads((run.folder / "plan.json").read_text())
    (other.folder / "plan.json").write_text(json.dumps(plan))
    other = Run(other.folder)
    made_knowledge(other, seed=1, templates=("another {}",))
    app = opened(run)
    said = words(app)
    assert "differ in templates" in said and "This analysis used no labels, so it states no accuracy." in said
    assert "Compare the area" in labels(app) and "nothing to correlate with" not in said
    correlations = app.dataframe[-1].value
    assert (correlations["Rank correlation over models"] == "cannot conclude").all()
    names = set(app.dataframe[0].value["Model"])
    assert names == {"Loupe demo (20260115-093000-abcdef)", "Loupe demo (20260115-094500-abcdef)"}
    app.multiselect[0].set_value([run.id]).run()
    assert set(app.dataframe[0].value["Model"]) == {"Loupe demo"} and "differ in" not in words(app)


def test_a_damaged_record_is_told_in_one_line(run: Run) -> None:
    made_knowledge(run)
    (run.folder / "applications" / "knowledge" / "knowledge.json").write_text("{")
    app = opened(run)
    assert app.error and all("\n" not in item.value for item in app.error)
