"""What a person sees of failures in a real browser: amber that can be read, and one line for a defect of a page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from core.settings import ROOT
from tests.browser.conftest import FINISHED, STEP_MS, Server, barriers, served
from tests.browser.test_app import open_page, settled

pytestmark = pytest.mark.browser

BROKEN = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from streamlit.starlette import App
from app import report_error

if __name__ == "__main__":
    raise ZeroDivisionError("/home/me/secret")
app = App(__file__, on_script_error=report_error)
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_errors_of_a_finished_run_can_be_read(page: Page, server_with_run: Server, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    open_page(page, server_with_run, "Audit", f"?run={FINISHED}")
    page.get_by_role("radio", name="Progress").click()
    expect(page.get_by_text("Some of the work failed")).to_be_visible(timeout=STEP_MS)
    settled(page, "Audit")
    expect(page.get_by_text("finished with errors")).to_have_count(2)
    assert not barriers(page)


def test_a_defect_of_a_page_is_one_line(page: Page, tmp_path: Path) -> None:
    script = tmp_path / "broken.py"
    script.write_text(BROKEN)
    with served(tmp_path, script=script) as server:
        page.goto(server.url)
        expect(page.get_by_text("This part cannot be displayed")).to_be_visible(timeout=STEP_MS)
        expect(page.get_by_test_id("stException")).to_have_count(0)
        assert "secret" not in page.content()
        assert "ZeroDivisionError: /home/me/secret" in (tmp_path / "server.log").read_text()
