"""Barriers in states of pages that a finished audit alone does not have: an opened bundle, a saved view, three roles.

Each theme is looked at on a visit of its own: a change of the theme runs the script again and fades what was drawn.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from core.reporting.unbundling import open_bundle
from core.runs import open_run
from core.runs.saved_views import save_view
from tests.browser.conftest import FINISHED, STEP_MS, Server, barriers, served, watched
from tests.browser.test_app import drawn, open_page

pytestmark = pytest.mark.browser

VIEW, SECRET = "two images", "a-secret-only-for-this-test-of-barriers"
PEOPLE = {"vera": "viewer", "ron": "reviewer", "ada": "approver"}
ROLES = f"""
version = "1"
[people]
{chr(10).join(f'{name} = "{role}"' for name, role in PEOPLE.items())}
[header]
name = "X-Loupe-User"
secret = "{SECRET}"
"""


@pytest.fixture(scope="module")
def states(home_with_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, str]]:
    """A server on a copy of the finished run with a saved view, and the id of the same run opened from its bundle."""
    home = tmp_path_factory.mktemp("states")
    run = open_run(shutil.copytree(home_with_run / "runs" / FINISHED, home / "runs" / FINISHED))
    shutil.copy(run.report / "findings.json", run.folder)
    (home / "roles.toml").write_text(ROLES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOUPE_HOME", str(home))
        save_view(run, VIEW, run.plan.images[:2])
        opened = open_bundle(run.report / "evidence.zip")
    with served(home) as server:
        yield server, opened.id


@pytest.fixture
def visitor(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page in the name of the person whom the parameter names."""
    headers = {"X-Loupe-User": request.param, "X-Loupe-Proxy": SECRET}
    context = browser.new_context(viewport={"width": 1280, "height": 900}, extra_http_headers=headers)
    context.set_default_timeout(STEP_MS)
    with watched(context):
        yield context.new_page()


def in_both_themes(page: Page, server: Server, title: str, query: str, shown: str | re.Pattern[str]) -> list[str]:
    """The barriers of the page at this address in light and in dark, where each shows this text."""
    found = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        open_page(page, server, title, query)
        expect(page.get_by_text(shown).first).to_be_visible()
        drawn(page)
        found += [f"{scheme}: {line}" for line in barriers(page)]
    return found


@pytest.mark.parametrize("visitor", ["ada"], indirect=True)
@pytest.mark.parametrize("title", ["Explore", "Findings", "Report", "All audits"])
def test_a_run_opened_from_a_bundle_has_none(visitor: Page, states: tuple[Server, str], title: str) -> None:
    server, opened = states
    assert not in_both_themes(visitor, server, title, f"?run={opened}", "Opened from evidence.zip")


@pytest.mark.parametrize("visitor", ["ada"], indirect=True)
@pytest.mark.parametrize("title", ["Explore", "Embedding map"])
def test_a_page_limited_by_a_saved_view_has_none(visitor: Page, states: tuple[Server, str], title: str) -> None:
    query = f"?run={FINISHED}&saved={VIEW.replace(' ', '+')}"
    assert not in_both_themes(visitor, states[0], title, query, f"view {VIEW}")


@pytest.mark.parametrize(
    ("visitor", "named", "title"),
    [(name, f"{name} · {role}", "Report") for name, role in PEOPLE.items()]
    + [("vera", "vera · viewer", title) for title in ("Dataset", "All audits")],
    indirect=["visitor"],
)
def test_a_page_for_each_role_has_none(visitor: Page, states: tuple[Server, str], named: str, title: str) -> None:
    assert not in_both_themes(visitor, states[0], title, f"?run={FINISHED}", re.compile(f"^{named}$"))
