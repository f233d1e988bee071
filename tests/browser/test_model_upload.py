"""A model that a person uploads, from its files to a report; it is described before the audit starts."""

from __future__ import annotations

import re
from pathlib import Path

import pikepdf
import pytest
from playwright.sync_api import Page, expect

from benchmarks.support.hub_models import save_clip
from benchmarks.support.onnx_export import export
from core import load_model
from core.runs import list_runs
from tests.browser.conftest import STEP_MS, Server
from tests.browser.test_app import WORK_MS, open_page, sample_zip, settled

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny seeded CLIPModel, as transformers saves it."""
    return save_clip(tmp_path_factory.mktemp("model") / "clip").folder


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the same model as a pair of ONNX towers, as torch exports it."""
    saved = save_clip(tmp_path_factory.mktemp("torch") / "clip").folder
    return export(load_model(saved, device="cpu"), saved, tmp_path_factory.mktemp("onnx") / "pair")


def choose_upload(page: Page, server: Server, tmp_path: Path, images: int) -> None:
    """Add so many images, wait until they are stored, and open the upload of a model."""
    open_page(page, server, "Dataset")
    page.get_by_test_id("stFileUploaderDropzoneInput").first.set_input_files(
        sample_zip(tmp_path / "images.zip", images)
    )
    stored = page.get_by_test_id("stMetric").filter(has_text=re.compile("^Images")).first
    expect(stored).to_contain_text(str(images), timeout=STEP_MS)
    expect(page).not_to_have_url(re.compile("import="))
    page.get_by_role("button", name="Audit a model on this dataset").click(timeout=STEP_MS)
    settled(page, "Audit")
    page.get_by_role("radio", name="Upload a model").click()
    expect(page.get_by_role("button", name="Upload this model")).to_be_visible(timeout=STEP_MS)


def upload(page: Page, files: list[Path], title: str) -> None:
    """Give these files to the form and send it."""
    chooser = page.get_by_test_id("stFileUploader").filter(has_text="The files of one model")
    chooser.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(files)
    # A long name is printed without its middle, but the button beside it has it whole.
    for file in files[:2]:
        expect(chooser.get_by_role("button", name=f"Remove {file.name}")).to_be_visible(timeout=STEP_MS)
    page.get_by_label("Name of the model in the report").fill(title)
    page.get_by_role("button", name="Upload this model").click()


def test_an_uploaded_model_is_audited_from_its_files_to_a_report(
    page: Page, server: Server, model: Path, tmp_path: Path
) -> None:
    choose_upload(page, server, tmp_path, 3)
    start = page.get_by_role("button", name="Start the audit")
    expect(start).to_be_disabled(timeout=STEP_MS)
    upload(page, sorted(model.iterdir()), "My small CLIP")
    for told in ("CLIPModel", "32 × 32 pixels", "20 tokens", "Every method and every analysis can run on this model."):
        expect(page.get_by_text(told, exact=True)).to_be_visible(timeout=WORK_MS)
    page.get_by_test_id("stMainBlockContainer").get_by_text("Methods", exact=True).click()
    page.get_by_role("button", name="None", exact=True).click()
    settled(page, "Audit")
    box = page.get_by_test_id("stCheckbox").filter(has_text="Raw similarity")
    box.locator("label").click()
    expect(box.get_by_role("checkbox")).to_be_checked()
    settled(page, "Audit")
    expect(start).to_be_enabled(timeout=STEP_MS)
    start.click()
    expect(page.get_by_role("link", name="Open the report")).to_be_visible(timeout=WORK_MS)
    (run,) = list_runs(server.home / "runs")
    assert run.manifest["model"]["recognised"]["kind"] == "CLIPModel"
    assert run.manifest["model"]["name"] == "My-small-CLIP"
    with pikepdf.open(run.report / "report.pdf") as document:
        assert len(document.pages) > 8


def test_a_damaged_model_is_refused_before_an_audit(page: Page, server: Server, model: Path, tmp_path: Path) -> None:
    choose_upload(page, server, tmp_path, 4)
    cut = tmp_path / "model.safetensors"
    cut.write_bytes((model / "model.safetensors").read_bytes()[:-1000])
    upload(page, [cut, *(path for path in sorted(model.iterdir()) if path.suffix == ".json")], "cut")
    expect(page.get_by_text(re.compile("^This model cannot be used"))).to_be_visible(timeout=WORK_MS)
    expect(page.get_by_role("button", name="Start the audit")).to_be_disabled()


def test_an_uploaded_pair_of_onnx_towers_is_recognised_before_an_audit(
    page: Page, server: Server, pair: Path, tmp_path: Path
) -> None:
    choose_upload(page, server, tmp_path, 5)
    files = sorted(pair.iterdir())
    # Half of a pair is told from its names, before anything is loaded.
    upload(page, [path for path in files if path.name != "textual.onnx"], "half")
    expect(page.get_by_text("a pair of ONNX towers is two files")).to_be_visible(timeout=STEP_MS)
    expect(page.get_by_role("button", name="Start the audit")).to_be_disabled()
    chooser = page.get_by_test_id("stFileUploader").filter(has_text="The files of one model")
    chooser.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(pair / "textual.onnx")
    expect(chooser.get_by_role("button", name="Remove textual.onnx")).to_be_visible(timeout=STEP_MS)
    page.get_by_role("button", name="Upload this model").click()
    for told in ("a pair of ONNX towers of CLIPModel", "32 × 32 pixels", "20 tokens", "Cannot run on this model"):
        expect(page.get_by_text(told, exact=True)).to_be_visible(timeout=WORK_MS)
    expect(page.get_by_role("button", name="Start the audit")).to_be_enabled(timeout=STEP_MS)
