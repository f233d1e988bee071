"""The app in a real browser: links, requests, accessibility, and the way from a ZIP to a PDF."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from playwright.sync_api import Page, expect

from core.applications.registry import APPLICATIONS
from core.settings import ROOT
from tests.browser.conftest import FINISHED, STEP_MS, Server, barriers

pytestmark = pytest.mark.browser

SAMPLE = ROOT / "tests" / "sample"
PATHS = {
    "Loupe": "",
    "Dataset": "dataset",
    "Audit": "audit",
    "All audits": "runs",
    "Playground": "playground",
    "Explore": "explore",
    **{application.page.title: name for name, application in APPLICATIONS.items() if application.page is not None},
    "Compare": "compare",
    "User study": "user_study",
    "Findings": "findings",
    "Requirements": "requirements",
    "Report": "report",
    "Methods": "methods",
    "Glossary": "glossary",
}
WORK_MS = 900_000


def open_page(page: Page, server: Server, title: str, query: str = "") -> None:
    """Open a page by its address and wait until its script has ended."""
    page.goto(f"{server.url}/{PATHS[title]}{query}")
    settled(page, title)


def settled(page: Page, title: str) -> None:
    """Wait until the page of this title is drawn and nothing runs any more."""
    expect(page.get_by_role("heading", level=1, name=title, exact=True)).to_be_visible(timeout=STEP_MS)
    expect(page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]')).to_be_visible(timeout=STEP_MS)


def drawn(page: Page) -> None:
    """Wait until nothing is left of an earlier run of the script, and all parts, images and fonts are there."""
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0, timeout=STEP_MS)
    # What an earlier run of the script has drawn is pale until the next one has drawn it.
    expect(page.locator('[data-stale="true"]')).to_have_count(0, timeout=STEP_MS)
    page.wait_for_function(
        "() => document.fonts.status === 'loaded' && [...document.images].every(image => image.complete)",
        timeout=STEP_MS,
    )


def test_a_link_to_a_page_works_as_the_first_request(page: Page, server_with_run: Server) -> None:
    # First in this file: what is tested is a server that no session has visited.
    open_page(page, server_with_run, "Explore", f"?run={FINISHED}")
    expect(page.get_by_test_id("stSidebarNavLink")).to_have_text(
        [re.compile(f"{title}$") for title in ("Home", *list(PATHS)[1:])]
    )
    expect(page.get_by_alt_text(re.compile("^Raw similarity map of")).first).to_be_visible(timeout=STEP_MS)
    assert f"run={FINISHED}" in page.url and "/explore" in page.url


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("title", PATHS)
def test_no_error_no_other_machine_and_no_serious_barrier(
    page: Page, server_with_run: Server, title: str, scheme: Any
) -> None:
    page.emulate_media(color_scheme=scheme)
    # The page fixture fails on a request that leaves this machine.
    open_page(page, server_with_run, title, f"?run={FINISHED}")
    drawn(page)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    assert not barriers(page)


def test_a_choice_of_image_and_scale_is_followed(page: Page, server_with_run: Server) -> None:
    open_page(page, server_with_run, "Explore", f"?run={FINISHED}")
    page.get_by_role("button", name="shape-02", exact=True).click()
    expect(page.get_by_alt_text(re.compile("^Raw similarity map of shape-02")).first).to_be_visible(timeout=STEP_MS)
    before = page.get_by_alt_text(re.compile("^Raw similarity map of shape-02")).first.get_attribute("src")
    options = page.get_by_test_id("stExpander").filter(has_text="Methods and display")
    options.locator("summary").click()
    # A click on what still moves hits what lies there a moment later.
    options.evaluate("box => Promise.all(box.getAnimations({subtree: true}).map(each => each.finished))")
    page.get_by_test_id("stCheckbox").filter(has_text="Native cells").locator("label").click()
    after = page.get_by_alt_text(re.compile("^Raw similarity map of shape-02")).first
    expect(after).not_to_have_attribute("src", before or "", timeout=STEP_MS)
    # All methods are still chosen, though their field was folded when the other image was chosen.
    expect(options.get_by_text("RISE", exact=True)).to_be_visible()


def test_one_click_copies_the_address_where_the_browser_allows(page: Page, server_with_run: Server) -> None:
    open_page(page, server_with_run, "Explore", f"?run={FINISHED}&view=one")
    copied = page.get_by_text("Copied.", exact=True)
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }")
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_text("works on this machine only")).to_be_visible(timeout=STEP_MS)
    expect(copied).to_be_hidden()
    page.reload()
    settled(page, "Explore")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy link").click()
    expect(copied).to_be_visible(timeout=STEP_MS)
    assert page.evaluate("navigator.clipboard.readText()") == page.url


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_large_map_gives_values_and_files(page: Page, server_with_run: Server, scheme: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    open_page(page, server_with_run, "Explore", f"?run={FINISHED}&view=one")
    chart = page.get_by_test_id("stVegaLiteChart").first
    expect(chart).to_be_visible(timeout=STEP_MS)
    drawn(page)
    box = chart.bounding_box()
    assert box is not None
    if width == 1440:
        assert box["y"] + box["height"] < 900, "the whole map is above the fold"
    chart.hover(position={"x": 150, "y": 120})
    expect(page.locator("#vg-tooltip-element")).to_contain_text("row", timeout=STEP_MS)
    page.mouse.move(0, 0)
    with page.expect_download() as download:
        page.get_by_role("button", name="NPY", exact=True).first.click()
    assert download.value.suggested_filename.endswith(".npy")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert not barriers(page)


def test_the_preview_of_a_report_runs_no_script(page: Page, server_with_run: Server) -> None:
    open_page(page, server_with_run, "Report", f"?run={FINISHED}")
    inner = page.frame_locator('[data-testid="stIFrame"]').locator("iframe")
    expect(inner).to_have_attribute("sandbox", "")
    expect(inner).to_have_attribute("srcdoc", re.compile("default-src 'none'"))
    # The inner frame alone scrolls.
    outer = page.locator('[data-testid="stIFrame"]').element_handle().content_frame()
    assert outer is not None and outer.evaluate("document.documentElement.scrollHeight <= innerHeight")


def test_zip_to_pdf(page: Page, server: Server, tmp_path: Path) -> None:
    open_page(page, server, "Dataset")
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(sample_zip(tmp_path / "images.zip", 3))
    expect(page.get_by_test_id("stMetric").filter(has_text=re.compile("^Images")).first).to_contain_text(
        "3", timeout=STEP_MS
    )
    page.get_by_role("button", name="Audit a model on this dataset").click()
    settled(page, "Audit")
    page.get_by_test_id("stMainBlockContainer").get_by_text("Methods", exact=True).click()
    page.get_by_role("button", name="None", exact=True).click()
    settled(page, "Audit")
    for method in ("Raw similarity", "Grad-CAM"):
        box = page.get_by_test_id("stCheckbox").filter(has_text=method)
        expect(box.get_by_role("checkbox")).not_to_be_checked()
        box.locator("label").click()
        expect(box.get_by_role("checkbox")).to_be_checked()
        settled(page, "Audit")
    start = page.get_by_role("button", name="Start the audit")
    expect(start).to_be_enabled(timeout=STEP_MS)
    start.click()
    expect(page.get_by_text(re.compile(r"\d of 3 images explained"))).to_be_visible(timeout=STEP_MS)
    expect(page).to_have_url(re.compile(r"run=\d{8}-\d{6}-"))
    address = page.url
    page.reload()
    settled(page, "Audit")
    assert page.url == address
    expect(page.get_by_text(re.compile(r"\d of 3 images explained"))).to_be_visible(timeout=STEP_MS)
    expect(page.get_by_role("link", name="Explore the maps")).to_be_visible(timeout=WORK_MS)
    expect(page.get_by_text(re.compile("3 of 3 images explained"))).to_be_visible()
    page.get_by_role("link", name="Explore the maps").click()
    settled(page, "Explore")
    expect(page.get_by_alt_text(re.compile("^Grad-CAM map of")).first).to_be_visible(timeout=STEP_MS)
    page.get_by_role("link", name="Findings").click()
    settled(page, "Findings")
    expect(page.get_by_role("tab", name=re.compile("^Passed"))).to_be_visible()
    page.get_by_role("link", name="Report").click()
    settled(page, "Report")
    with page.expect_download(timeout=STEP_MS) as downloading:
        page.get_by_role("button", name=re.compile("^(download )?Download PDF")).click()
    downloaded = tmp_path / "report.pdf"
    downloading.value.save_as(downloaded)
    assert downloaded.read_bytes().startswith(b"%PDF")
    with pikepdf.open(downloaded) as document:
        assert len(document.pages) > 8


def sample_zip(path: Path, count: int) -> Path:
    """A ZIP of the first sample images and the table of their captions."""
    with (SAMPLE / "captions.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    names = sorted(image.name for image in (SAMPLE / "images").iterdir())[:count]
    kept = [rows[0], *(row for row in rows[1:] if Path(row[0]).name in names)]
    table = io.StringIO()
    csv.writer(table).writerows(kept)
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.write(SAMPLE / "images" / name, name)
        archive.writestr("captions.csv", table.getvalue())
    return path
