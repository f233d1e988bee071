"""The playground in a browser: maps of two texts, their difference, a box, and an audit of it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import STEP_MS, Server, barriers
from tests.browser.test_app import drawn

pytestmark = pytest.mark.browser

# The process has to load torch and the model first.
FIRST_MS = 3 * STEP_MS


def test_from_two_texts_to_an_audit(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/playground?prompt=a+colourful+bird&prompt=green+leaves", timeout=STEP_MS)
    first = page.get_by_alt_text(re.compile(r"^Raw similarity map of .* for the text a colourful bird$"))
    expect(first).to_be_visible(timeout=FIRST_MS)
    difference = page.get_by_alt_text(
        re.compile("^Difference of the Raw similarity maps of .* for the texts a colourful bird and green leaves$")
    )
    expect(difference).to_be_visible(timeout=FIRST_MS)
    expect(page.get_by_text(re.compile(r"2 methods, computed in \d")).first).to_be_visible(timeout=FIRST_MS)

    page.get_by_role("button", name="Score this box").click()
    expect(page.get_by_role("columnheader", name="Box, cut out")).to_be_visible(timeout=FIRST_MS)
    drawn(page)
    assert not barriers(page)
    expect(page.get_by_test_id("stException")).to_have_count(0)

    page.get_by_role("button", name="Plan an audit with it").click()
    expect(page).to_have_url(re.compile("/audit"), timeout=STEP_MS)
    texts = page.get_by_test_id("stExpander").filter(has=page.get_by_text("Texts", exact=True))
    texts.locator("summary").click()
    expect(texts.get_by_role("textbox", name=re.compile("[Pp]rompts")).first).to_have_value(
        re.compile("a colourful bird\\s+green leaves"), timeout=STEP_MS
    )
