"""Pages on data, groups and predictions in a real browser, and a spot check marked with keys."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from core.applications.predictions.record import PredictionsRecord
from core.applications.subgroups.record import GroupsRecord
from core.runs import Run
from core.runs.spot_check import load_spot_check
from tests.browser.conftest import FINISHED, STEP_MS, Server, served
from tests.browser.test_app import open_page, settled
from tests.pages.test_pages_data_checks import save
from tests.support.made_predictions import record_of
from tests.support.made_run import made_run

pytestmark = pytest.mark.browser


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A finished run of twelve images with records of data, groups and predictions."""
    run = made_run(tmp_path / "runs" / FINISHED, images=12)
    save(run, True)
    GroupsRecord.write(
        GroupsRecord.folder_of(run),
        {"columns": ["site"], "words": [], "model": "small"},
        GroupsRecord.frames({}),
    )
    record_of(12, 4, ids=[image.id for image in run.dataset.images]).save(PredictionsRecord.folder_of(run))
    return run


@pytest.fixture
def server_of_run(run: Run, tmp_path: Path) -> Iterator[Server]:
    """An app on the workspace with this run."""
    with served(tmp_path) as server:
        yield server


def test_pages_open_and_a_mark_by_a_key_survives_a_reload(page: Page, server_of_run: Server, run: Run) -> None:
    for title, text in (("Data", "dark: 1 image"), ("Groups", "No group is large enough to be compared.")):
        open_page(page, server_of_run, title, f"?run={FINISHED}")
        expect(page.get_by_text(text, exact=True)).to_be_visible(timeout=STEP_MS)
        expect(page.get_by_test_id("stAlert")).to_have_count(0)
    open_page(page, server_of_run, "Predictions", f"?run={FINISHED}")
    page.get_by_test_id("stButtonGroup").get_by_text("Spot check").click()
    page.get_by_role("button", name="Draw the sample").click()
    page.get_by_role("textbox", name="Your name").fill("Ada")
    page.keyboard.press("Enter")
    # The field is gone, so that a key is a verdict and no letter of the name.
    expect(page.get_by_text(re.compile("^Image 1 of"))).to_be_visible(timeout=STEP_MS)
    settled(page, "Predictions")
    page.keyboard.press("n")
    expect(page.get_by_text(re.compile("^Image 2 of"))).to_be_visible(timeout=STEP_MS)
    page.reload()
    settled(page, "Predictions")
    page.get_by_role("button", name="Continue as Ada").click()
    expect(page.get_by_text(re.compile("^Image 2 of"))).to_be_visible(timeout=STEP_MS)
    check = load_spot_check(run)
    assert check is not None and [(mark.judge, mark.verdict) for mark in check.marks] == [("Ada", "wrong")]
