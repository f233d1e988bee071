"""The page of all runs, and what can be done with a run as a whole."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.runs import Run
from core.runs.shelf import label_of, shelf, trash
from core.settings import ROOT, runs_folder
from pages.parts import state
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
