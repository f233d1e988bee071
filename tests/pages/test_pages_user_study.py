"""The page of user studies: an empty state, pairs without names, votes, and the results only at the end."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.evaluation.user_study import add_votes, counted, load_study, load_votes, start_study
from core.runs import Run
from core.settings import runs_folder, study_folder
from core.studying import study_of
from tests.pages.test_pages import words
from tests.support.made_run import made_run
from tests.support.page_alone import links_as_words, opened_alone  # noqa: F401  # a fixture of every test here


def opened(run: Run | None) -> AppTest:
    return opened_alone("user_study", run)


@pytest.fixture
def run(workspace: Path) -> Run:
    return made_run(runs_folder() / "20260115-093000-abcdef", methods=("raw", "rise"))


def test_without_an_audit_it_says_what_to_do(workspace: Path) -> None:
    assert "once it has run" in words(opened(None))


def test_a_study_is_started_rated_and_shown(run: Run) -> None:
    app = opened(run)
    app.multiselect(key="study-methods").set_value(["raw", "rise"])
    app.number_input(key="study-images").set_value(2)
    next(button for button in app.button if button.label == "Draw the pairs").click().run()
    assert not app.exception and not app.error
    study = load_study(study_folder(run.id))
    assert len(study.pairs) == 2
    app.text_input(key="study-rater").input("Ada")
    next(button for button in app.button if button.label == "Start rating").click().run()
    order = study.order("Ada")
    assert study.pairs[order[0]].text in words(app)
    for choice in ("left", "neither"):
        printed = words(app)
        assert "RISE" not in printed and "Raw similarity" not in printed and "preferred" not in printed
        app.button(key=f"study-{choice}").click().run()
        assert not app.exception
    votes = counted(load_votes(study_folder(run.id), study))
    assert votes == {"Ada": {order[0]: "left", order[1]: "neither"}}
    assert "You have rated every pair." in words(app)
    printed = words(app).replace("\u00a0", " ")
    assert "RISE: preferred in" in printed and "Raw similarity: preferred in" in printed and "n = 2 images" in printed


def test_a_rater_goes_on_where_they_stopped(run: Run) -> None:
    study = study_of(run, ["raw", "rise"], 3, 0)
    start_study(study_folder(run.id), study)
    order = study.order("Ada")
    add_votes(study_folder(run.id), "Ada", {order[0]: "left"})
    app = opened(run)
    app.session_state[f"study-as-{run.id}"] = "ada"
    app.run()
    assert study.pairs[order[1]].text in words(app)
    app.button(key="study-right").click().run()
    assert counted(load_votes(study_folder(run.id), study)) == {"Ada": {order[0]: "left", order[1]: "right"}}
