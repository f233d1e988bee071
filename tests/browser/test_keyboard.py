"""The whole path by the keyboard alone: the demo, its audit, a finding, its review, the sign-off; the focus is seen."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from core.runs import open_run
from core.runs.review import load_review
from tests.browser.conftest import FINISHED, STEP_MS, served
from tests.browser.test_app import settled

pytestmark = pytest.mark.browser

MOST_STOPS = 120
# What is too small to be seen is drawn by something else: the box of a check mark, the label of a choice.
SEEN = """() => {
  const one = document.activeElement, box = one.getBoundingClientRect(), style = getComputedStyle(one);
  const rings = element => {
    const found = getComputedStyle(element);
    return (found.outlineStyle !== 'none' && parseFloat(found.outlineWidth) >= 1) || found.boxShadow !== 'none';
  };
  if (box.width < 4 || box.height < 4 || parseFloat(style.opacity) === 0) return true;
  return rings(one) || (['INPUT', 'TEXTAREA'].includes(one.tagName) && [1, 2, 3, 4].some(up => {
    let around = one;
    for (let at = 0; at < up && around; at++) around = around.parentElement;
    return around !== null && getComputedStyle(around).borderTopWidth !== '0px';
  }));
}"""
NAMED = "() => document.activeElement.outerHTML.slice(0, 200)"


def reach(page: Page, wanted: Locator) -> None:
    """Press Tab until `wanted` has the focus; each stop on the way must be seen."""
    expect(wanted).to_have_count(1, timeout=STEP_MS)
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        assert page.evaluate(SEEN), page.evaluate(NAMED)
        if wanted.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError(f"{wanted} cannot be reached by the keyboard")


def press(page: Page, role: str, name: str | re.Pattern[str], within: Page | Locator | None = None) -> None:
    """Go to the control of this name and press Enter."""
    exact = isinstance(name, str)
    reach(page, (within or page).get_by_role(role, name=name, exact=exact))  # type: ignore[arg-type]
    page.keyboard.press("Enter")


def test_from_the_demo_to_the_signature_by_keyboard(page: Page, home_with_run: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(home_with_run, home)
    run = open_run(home / "runs" / FINISHED)
    (run.folder / "findings.json").write_bytes((run.report / "findings.json").read_bytes())
    with served(home) as server:
        page.goto(server.url)
        settled(page, "Loupe")
        press(page, "button", "Try the demo")
        settled(page, "Audit")
        expect(page.get_by_role("button", name="Start the audit")).to_be_enabled(timeout=STEP_MS)
        press(page, "button", "Start the audit")
        expect(page.get_by_text(re.compile(r"\d+ of \d+ images explained"))).to_be_visible(timeout=STEP_MS)
        # A finished audit stands for the end of this one, which would take minutes.
        press(page, "button", "Cancel")
        expect(page.get_by_text(re.compile("^cancel"))).not_to_have_count(0, timeout=STEP_MS)
        page.goto(server.url)
        settled(page, "Loupe")
        press(page, "button", re.compile("Audit of the made model"))
        settled(page, "Findings")
        press(page, "button", re.compile("Comment$"), page.locator('[class*="st-key-comment-"]').first)
        item = page.get_by_test_id("stForm")
        reach(page, item.get_by_role("textbox", name="Your name"))
        page.keyboard.type("Ada Auditor")
        reach(page, item.get_by_role("textbox", name="Comment"))
        page.keyboard.type("Seen on the images")
        press(page, "button", "Add the comment", item)
        expect(page.get_by_text(re.compile("Ada Auditor, .*Seen on the images"))).to_be_visible(timeout=STEP_MS)
        settled(page, "Findings")
        press(page, "link", "Approval record")
        settled(page, "Report")
        press(page, "button", "Review")
        expect(page.get_by_text(re.compile("reviewed by Ada Auditor", re.IGNORECASE))).to_be_visible(timeout=STEP_MS)
    assert [(entry.kind, entry.by) for entry in load_review(run).entries] == [
        ("comment", "Ada Auditor"),
        ("reviewed", "Ada Auditor"),
    ]
