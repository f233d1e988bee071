"""The embedding map in a browser: a lasso selects images, they become a view, and the view limits Explore."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import FINISHED, STEP_MS, Server, barriers
from tests.browser.test_app import drawn, open_page, settled

pytestmark = pytest.mark.browser


def test_a_lasso_becomes_a_view_that_limits_explore(page: Page, server_with_run: Server) -> None:
    open_page(page, server_with_run, "Embedding map", f"?run={FINISHED}")
    chart = page.get_by_test_id("stPlotlyChart")
    expect(chart.locator(".scatterlayer .point")).to_have_count(4, timeout=STEP_MS)
    drawn(page)
    box = chart.locator(".nsewdrag").bounding_box()
    assert box is not None
    # Around the right half: of four points on a circle, one lies there; its neighbours are on the middle line.
    left, right = box["x"] + 0.6 * box["width"], box["x"] + 0.99 * box["width"]
    top, bottom = box["y"] + 0.02 * box["height"], box["y"] + 0.98 * box["height"]
    page.mouse.move(left, top)
    page.mouse.down()
    for x, y in ((right, top), (right, bottom), (left, bottom), (left, top)):
        page.mouse.move(x, y, steps=8)
    page.mouse.up()
    expect(page.get_by_role("heading", name="Selected images")).to_be_visible(timeout=STEP_MS)
    expect(page.get_by_role("button", name="shape-00", exact=True)).to_be_visible(timeout=STEP_MS)
    settled(page, "Embedding map")
    page.get_by_label("Name of a view").fill("right half")
    page.get_by_role("button", name="Save as a view").click()
    expect(page.get_by_text(re.compile("1 of 4 images.*: view right half"))).to_be_visible(timeout=STEP_MS)
    assert not barriers(page)
    page.get_by_role("link", name="Explore").click()
    settled(page, "Explore")
    expect(page.get_by_text(re.compile("1 of 4 images.*: view right half"))).to_be_visible(timeout=STEP_MS)
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(page.get_by_text("view right half")).to_have_count(0, timeout=STEP_MS)
