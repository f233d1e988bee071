"""The Compare page: what it says without records, and curves, measures and single pictures with them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.runs import Run
from core.settings import ROOT, runs_folder
from tests.support.made_knowledge import made_knowledge
from tests.support.made_run import made_run

PAGE = str(ROOT / "pages" / "compare.py")


@pytest.fixture(autouse=True)
def links_as_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page is run alone, outside the navigation that its links need."""
    monkeypatch.setattr(st, "page_link", lambda page, label, **options: st.text(f"{label}: {page}"))


def opened(run: Run | None) -> AppTest:
    app = AppTest.from_file(PAGE, default_timeout=90)
    app.session_state["through_app"] = True
    if run is not None:
        app.session_state["run_id"] = run.id
    app.run()
    assert not app.exception, [item.message for item in app.exception]
    return app


def words(app: AppTest) -> str:
    kinds = ("title", "subheader", "markdown", "caption", "text", "info", "warning", "error")
    return "\n".join(str(item.value) for kind in kinds for item in getattr(app, kind)).replace("\\", "")


@pytest.fixture
def run(workspace: Path) -> Run:
    return made_run(runs_folder() / "20260115-093000-abcdef")


def test_without_a_run_or_a_record_it_says_how_to_get_one(workspace: Path) -> None:
    said = words(opened(None))
    assert "Models are compared here" in said and "Plan an audit: pages/audit.py" in said
    app = opened(made_run(runs_folder() / "20260115-093000-abcdef"))
    assert "No audit of this data set has computed mutual knowledge" in words(app)


def test_two_models_are_set_side_by_side(run: Run) -> None:
    assert "Audit another model on this data set" in words(opened(run))
    other = made_run(runs_folder() / "20260116-093000-abcdef", seed=3, methods=("raw", "rise"))
    other.update_manifest(model={**other.manifest["model"], "digest": "f" * 64, "title": "Another model"})
    app = opened(run)
    assert "The same methods on two models" in words(app)
    trust, agreement, scores = (table.value for table in app.dataframe[:3])
    assert set(trust["Method"]) == set(agreement["Method"]) == {"Raw similarity", "RISE"}
    assert list(trust.columns)[1:4] == ["Loupe demo", "Another model", "Difference (95 % interval)"]
    assert scores["Pictures"].tolist() == [4] and scores["Texts"].tolist() == ["Classes"]
    assert scores["Same best text"].iloc[0].endswith("%")
    for table in (trust, agreement, scores):
        assert not [name for name in table.columns if "_" in name or name in {"value", "low", "high", "n"}]


def test_long_model_names_are_cut_and_told_apart(run: Run) -> None:
    other = made_run(runs_folder() / "20260116-093000-abcdef", seed=3, methods=("raw", "rise"))
    long = "A distilled model with a name that fills a whole line "
    for one, end in ((run, "first"), (other, "second")):
        one.update_manifest(model={**one.manifest["model"], "digest": end, "title": long + end})
    app = opened(run)
    columns = list(app.dataframe[0].value.columns)
    assert len(columns) == len(set(columns)) and max(map(len, columns)) < 40
    assert columns[1].endswith("… (this)") and columns[2].endswith("… (other)")
    # The whole names stand above the tables.
    assert f"{long}first beside {long}second" in words(app).replace("\u2060", "")


def test_one_model_is_shown_with_its_control_and_its_pictures(run: Run) -> None:
    made_knowledge(run, labels=True)
    app = opened(run)
    said = words(app)
    assert "How deep does shared knowledge reach?" in said and "Shared with the class." in said
    assert "its given label" in said
    measures = app.dataframe[0].value
    assert set(measures["Measure"]) >= {"Mutual-knowledge score", "Jaccard index", "Shared concepts K"}
    assert (measures["Pictures"] == 4).all()
    decisions = app.dataframe[1].value
    accuracy = decisions[decisions["Share of pictures"] == "Zero-shot accuracy"]
    assert accuracy["Value (95 % interval)"].iloc[0].startswith("1")
    assert (app.dataframe[2].value["Rank correlation over models"] == "cannot conclude").all()


def test_several_models_are_compared_and_their_differences_named(run: Run) -> None:
    made_knowledge(run)
    other = made_run(runs_folder() / "20260115-094500-abcdef", prefix="shape")
    # The same pictures, as a second audit of one stored data set has them.
    plan = json.loads((run.folder / "plan.json").read_text())
    (other.folder / "plan.json").write_text(json.dumps(plan))
    other = Run(other.folder)
    made_knowledge(other, seed=1, templates=("another {}",))
    app = opened(run)
    said = words(app)
    assert "differ in templates" in said and "No labels were given" in said
    names = set(app.dataframe[0].value["Model"])
    assert names == {"demo (20260115-093000-abcdef)", "demo (20260115-094500-abcdef)"}
    app.multiselect[0].set_value([run.id]).run()
    assert set(app.dataframe[0].value["Model"]) == {"demo"} and "differ in" not in words(app)


def test_a_damaged_record_is_told_in_one_line(run: Run) -> None:
    made_knowledge(run)
    (run.folder / "applications" / "knowledge" / "knowledge.json").write_text("{")
    said = words(opened(run))
    assert "is left out" in said and "compute it again" in said
