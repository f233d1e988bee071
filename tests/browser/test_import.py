"""An import in a real browser: progress, a reload, a second tab, other pages meanwhile, cancel, a process that dies."""

from __future__ import annotations

import io
import os
import re
import signal
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import STEP_MS, Server
from tests.browser.test_app import open_page, settled

pytestmark = pytest.mark.browser

READ = re.compile(r"\d+ of 120 files read")


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ZIP that takes minutes to take in: 16 megapixels in each of 120 members."""
    data = io.BytesIO()
    Image.linear_gradient("L").resize((4000, 4000)).save(data, "PNG", compress_level=1)
    path = tmp_path_factory.mktemp("slow") / "slow.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(120):
            archive.writestr(f"{number:03}.png", data.getvalue())
    return path


def upload(page: Page, server: Server, path: Path) -> Locator:
    """Give a file to the page Dataset and return the text of its progress, once it is there."""
    open_page(page, server, "Dataset")
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(path)
    told = page.get_by_text(READ)
    expect(told).to_be_visible(timeout=STEP_MS)
    return told


def left(server: Server) -> list[str]:
    """What imports have left in the workspace."""
    return [str(path) for folder in ("imports", "datasets") for path in (server.home / folder).glob("*")]


def test_the_app_answers_while_it_imports_and_the_import_can_be_cancelled(
    page: Page, server: Server, slow: Path
) -> None:
    told = upload(page, server, slow)
    page.get_by_role("radio", name="A folder").click()
    expect(page.get_by_text(re.compile("^Drop a folder"))).to_be_visible(timeout=STEP_MS)
    page.get_by_role("link", name="Audit", exact=True).click()
    settled(page, "Audit")
    page.get_by_role("link", name="Dataset", exact=True).click()
    expect(told).to_be_visible(timeout=STEP_MS)
    page.reload()
    expect(told).to_be_visible(timeout=STEP_MS)
    other = page.context.new_page()
    open_page(other, server, "Dataset")
    expect(other.get_by_text(READ)).to_be_visible(timeout=STEP_MS)
    page.get_by_role("button", name="Cancel the import").click()
    expect(page.get_by_text("The import was cancelled; nothing was stored.")).to_be_visible(timeout=STEP_MS)
    expect(other.get_by_text(READ)).to_be_hidden(timeout=STEP_MS)
    expect(page.get_by_text("There is no dataset yet")).to_be_visible(timeout=STEP_MS)
    assert left(server) == [] and "import=" not in page.url


def test_a_process_that_dies_is_told_in_plain_words(page: Page, server: Server, slow: Path) -> None:
    told = upload(page, server, slow)
    (folder,) = (server.home / "imports").iterdir()
    os.kill(int((folder / "lock").read_text()), signal.SIGKILL)
    expect(page.get_by_text("the import was stopped from outside; start it again")).to_be_visible(timeout=STEP_MS)
    expect(told).to_be_hidden()
    assert left(server) == []
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_text("the import was stopped from outside")).to_be_hidden(timeout=STEP_MS)
