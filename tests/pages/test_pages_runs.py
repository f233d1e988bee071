"""The page of all runs, and what can be done with a run as a whole."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.models.listing import embedded_models, embedded_name
from core.runs import Run
from core.runs.shelf import label_of, set_label, shelf, trash
from core.settings import ROOT, runs_folder
from pages.parts import state
from pages.parts.words import plain
from tests.pages.test_pages import HOSTILE, opened, words
from tests.support.made_run import made_run

ID = "20260115-093000-abcdef"


@pytest.fixture
def run(workspace: Path) -> Run:
    return made_run(runs_folder() / ID, images=2, methods=("raw",))


def click(app: AppTest, label: str) -> AppTest:
    next(button for button in app.button if button.label == label).click()
    return app.run()


def test_a_run_gets_a_name_and_tags_and_is_found_by_them(run: Run) -> None:
    app = opened("runs", run)
    next(field for field in app.text_input if field.label == "Name").set_value(HOSTILE[:100])
    next(field for field in app.text_input if field.label == "Tags").set_value("tender, red")
    click(app, "Save name and tags")
    assert not app.exception and label_of(ID).tags == ("tender", "red")
    assert list(app.dataframe[0].value["Tags"]) == ["tender, red"]
    search = next(field for field in app.text_input if field.label == "Search")
    search.set_value("TENDER").run()
    assert len(app.dataframe[0].value) == 1
    search.set_value("nothing like it").run()
    assert "No audit contains this text." in words(app)


def test_each_thing_has_one_name_and_its_id_beside_it(run: Run) -> None:
    """The model by its title, the dataset by its name although it is not among the stored ones."""
    title, spec = run.manifest["model"]["title"], run.plan.model.title
    assert title != spec
    assert not state.stored_datasets()
    row = opened("runs", run).dataframe[0].value.iloc[0]
    assert (row["Name"], row["Model"], row["Dataset"]) == (state.title_of(run), title, run.dataset.name)
    assert row["Run"] == ID
    set_label(ID, "first of May")
    said = words(opened("report", run))
    assert plain(f"first of May · {title}, id {spec} · run {ID}") in said


def test_a_dataset_that_is_gone_is_said_to_be(run: Run) -> None:
    shutil.rmtree(run.dataset_root)
    row = opened("runs", run).dataframe[0].value.iloc[0]
    assert row["Dataset"] == f"not found (id {run.plan.dataset[:8]})" and row["State"] == "finished"


def test_the_title_of_a_model_is_the_one_that_was_recorded(run: Run) -> None:
    given = json.loads((run.folder / "manifest.json").read_text())
    (run.folder / "manifest.json").write_text(json.dumps(given | {"model": {"title": "Ours"}}))
    spec = run.plan.model.title
    assert (state.model_title(run), state.model_and_id(run)) == ("Ours", f"Ours, id {spec}")
    (run.folder / "manifest.json").write_text(json.dumps(given | {"model": {"title": spec}}))
    assert state.model_and_id(run) == spec
    # Until a worker has loaded the model, it is named as the form names it.
    (run.folder / "manifest.json").unlink()
    usual = next(model.title for model in embedded_models() if model.name == embedded_name(run.plan.model.name))
    assert state.model_title(run) == usual != spec


def test_a_run_is_deleted_after_a_question_and_can_be_restored(run: Run) -> None:
    app = click(opened("runs", run), "Delete")
    assert "Move this audit to the trash?" in words(app) and ID in shelf()
    click(app, "Move to the trash")
    assert not app.exception and shelf() == {} and [path.name for path in trash()] == [ID]
    click(app, "Restore")
    assert not app.exception and list(shelf()) == [ID]


def test_a_run_is_copied_and_shown(run: Run) -> None:
    app = click(opened("runs", run), "Duplicate")
    assert not app.exception and len(shelf()) == 2
    assert any(button.label == "Start" for button in app.button)


def test_an_address_that_names_no_run_falls_back_with_one_line(run: Run) -> None:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.query_params["run"] = "../../etc/passwd"
    app.run()
    assert not app.exception and "The requested audit is not listed here" in words(app)
    assert app.query_params["run"] in (ID, [ID])


def test_the_progress_of_an_audit_leaves_the_table_and_its_selection(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    made_run(runs_folder() / "20260115-103000-abcdef", images=2, methods=("raw",))
    app = opened("runs", run)
    before = app.dataframe[0]
    finished = state.progress_of
    monkeypatch.setattr(state, "progress_of", lambda one: replace(finished(one), state="running", steps=(), total=100))
    app.run()
    assert list(app.dataframe[0].value["Done"]) != list(before.value["Done"])
    assert app.dataframe[0].proto.id == before.proto.id
    # Rows that are others are another table: the same place in it is another audit.
    next(field for field in app.text_input if field.label == "Search").set_value(ID).run()
    assert list(app.dataframe[0].value["Run"]) == [ID] and app.dataframe[0].proto.id != before.proto.id


def test_the_row_of_the_selected_audit_is_ticked_and_its_pages_are_a_link_away(run: Run) -> None:
    other = made_run(runs_folder() / "20260115-103000-abcdef", images=2, methods=("raw",))
    app = opened("runs", run)
    listed = list(app.dataframe[0].value["Run"])
    assert ticked(app) == [listed.index(ID)]
    app.selectbox(key="run_id").set_value(other.id).run()
    assert ticked(app) == [listed.index(other.id)] != [listed.index(ID)]
    links = [link.proto.label for link in app.get("page_link")]
    assert links == ["Findings", "Explore", "Report", "Progress"]


def ticked(app: AppTest) -> list[int]:
    return list(app.session_state[str(app.dataframe[0].key)]["selection"]["rows"])
