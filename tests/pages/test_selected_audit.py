"""Which audit a page is about stands above its title, with the selector that changes it."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.applications.registry import APPLICATIONS
from core.runs import Run
from core.runs.shelf import set_label
from core.settings import runs_folder
from tests.pages.test_pages import opened
from tests.support.made_run import made_run

FIRST, SECOND = "20260115-093000-abcdef", "20260115-103000-abcdef"
ABOUT_AN_AUDIT = ("findings", "requirements", "report", "explore", "compare", "user_study")
OTHERS = ("home", "dataset", "audit", "runs", "playground", "methods", "glossary")


@pytest.fixture
def run(workspace: Path) -> Run:
    made_run(runs_folder() / SECOND, images=2, methods=("raw",))
    set_label(FIRST, "The first")
    set_label(SECOND, "The second")
    return made_run(runs_folder() / FIRST, images=2, methods=("raw",))


def in_sidebar(app: AppTest) -> bool:
    return any(field.key == "run_id" for field in app.sidebar.selectbox)


def above(app: AppTest) -> str:
    """What stands in the main part of a page before its title."""
    said: list[str] = []
    for item in app.main:
        if item.type == "title":
            return " ".join(said)
        said.append(str(getattr(item, "value", "")))
    raise AssertionError("the page has no title")


@pytest.mark.parametrize("page", ABOUT_AN_AUDIT)
def test_the_audit_stands_above_the_title_of_a_page_about_it(run: Run, page: str) -> None:
    app = opened(page, run)
    field = app.selectbox(key="run_id")
    assert not in_sidebar(app) and field.value == FIRST and "finished" in above(app) and "2 images" in above(app)
    assert any(option.startswith("The first") for option in field.options)
    assert FIRST in above(app) and SECOND not in above(app)


@pytest.mark.parametrize("page", OTHERS)
def test_other_pages_have_the_selector_in_the_sidebar(run: Run, page: str) -> None:
    app = opened(page, run)
    assert in_sidebar(app) and FIRST not in above(app)


def test_the_pages_of_applications_are_about_an_audit(run: Run) -> None:
    name = next(name for name, application in APPLICATIONS.items() if application.page is not None)
    assert not in_sidebar(opened(name, run))


def test_a_choice_on_one_page_holds_on_the_others(run: Run) -> None:
    app = opened("findings", run)
    app.selectbox(key="run_id").set_value(SECOND).run()
    for page in ("report", "runs", "explore"):
        app.switch_page(f"pages/{page}.py").run()
        assert app.selectbox(key="run_id").value == SECOND and app.session_state["run_id"] == SECOND
