"""The table of runs in a real browser: a click on any cell selects the audit while the table changes."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from core.runs.shelf import set_label
from tests.browser.conftest import FINISHED, STEP_MS, served
from tests.browser.test_app import open_page, settled
from tests.support.made_run import made_run

pytestmark = pytest.mark.browser

LATER = "20260115-103000-fedcba"
ROW = 35  # pixels


def test_one_click_on_a_cell_selects_an_audit_while_the_table_changes(
    page: Page, home_with_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    shutil.copytree(home_with_run, home)
    made_run(home / "runs" / LATER, images=2, methods=("raw",))
    monkeypatch.setenv("LOUPE_HOME", str(home))
    set_label(FINISHED, "The first")
    set_label(LATER, "The second")
    with served(home) as server:
        open_page(page, server, "All audits")
        heading = page.get_by_role("heading", level=3)
        table = page.get_by_test_id("stDataFrame")
        expect(heading).to_contain_text("The ", timeout=STEP_MS)
        for turn, row in enumerate((2, 1, 2)):
            # What the page holds of a row changes before it hears of the click, as the progress of an audit does.
            set_label(LATER, "The second", [f"turn {turn}"])
            table.click(position={"x": 120, "y": row * ROW + 17})
            settled(page, "All audits")
            expect(heading).to_contain_text(("The second", "The first")[row - 1], timeout=STEP_MS)
            expect(page).to_have_url(re.compile(f"run={(LATER, FINISHED)[row - 1]}"))
