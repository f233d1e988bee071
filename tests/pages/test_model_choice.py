"""The choice of a model on the page Audit: lists, allowed folders, uploads, and what is told before the start."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.audit import preview
from core.datasets import Dataset, ingest
from core.models.uploads import store_table
from core.runs import ModelSpec
from core.settings import ROOT, datasets_folder
from tests.pages.test_pages import opened, words

RECOGNISED = {
    "model": {
        "architecture": "ViT (open_clip) + text transformer (open_clip)",
        "parameters": 12345,
        "embed_dim": 16,
        "preprocessing": {"width": 32, "height": 32},
        "capabilities": ["embeddings"],
        "weights_sha256": "ab" * 32,
        "recognised": {
            "kind": "CLIP of transformers",
            "image_activation": "QuickGELU",
            "text_activation": "GELU",
            "image_pooling": "class token",
            "text_pooling": "first end token (id 2)",
            "context_length": 20,
            "tokenizer": "CLIPTokenizer",
            "notes": ["Positions were resized."],
        },
    },
    "not_run": [{"name": "gem", "title": "GEM", "side": "image", "reason": "needs attention"}],
    "applications_not_run": [],
}


STORED = {
    "architecture": "stored scores",
    "parameters": None,
    "embed_dim": None,
    "preprocessing": {},
    "capabilities": ["stored"],
    "weights_sha256": "ab" * 32,
    "recognised": {"kind": "a table of scores", "images": 24, "texts": 2, "notes": []},
}


@pytest.fixture(autouse=True)
def dataset(workspace: Path) -> Dataset:
    """The images that every audit of these tests chooses."""
    small = ROOT / "tests" / "sample"
    return ingest([small / "images", small / "captions.csv"], store=datasets_folder(), name="Bundled sample")


@pytest.fixture
def roots(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = workspace / "allowed"
    (root / "clip").mkdir(parents=True)
    for name in ("config.json", "model.safetensors", "epoch_1.safetensors"):
        (root / "clip" / name).write_bytes(b"x")
    monkeypatch.setenv("LOUPE_MODELS", str(root))
    return root


def told(monkeypatch: pytest.MonkeyPatch, state: Any, error: str = "") -> list[ModelSpec]:
    """Every model is recognised at once as `RECOGNISED`, or in another state; the list of those asked for."""
    asked: list[ModelSpec] = []

    def answer(spec: ModelSpec) -> preview.Preview:
        return preview.Preview(state, RECOGNISED if state == "done" else {}, error) if asked else preview.NOTHING

    monkeypatch.setattr(preview, "begin", asked.append)
    monkeypatch.setattr(preview, "preview", answer)
    return asked


def start(app: AppTest) -> Any:
    return next(button for button in app.button if button.label == "Start the audit")


def test_open_clip_s_list_names_sizes_and_tags() -> None:
    app = opened("audit")
    app.session_state["model_kind"] = "open_clip"
    app.run()
    listed = next(box for box in app.selectbox if box.label.startswith("Architecture"))
    assert "RN50 · 102 M parameters, 224 x 224 pixels" in listed.options
    assert "laion2b_s34b_b79k" in next(box for box in app.selectbox if box.label == "Pretrained weights").options
    assert "texts of at most 77 tokens" in words(app).replace("\\", "")


def test_a_folder_needs_the_operator_s_leave() -> None:
    app = opened("audit")
    app.session_state["model_kind"] = "folder"
    app.run()
    assert "has not allowed a folder" in words(app) and start(app).disabled


def test_a_folder_is_recognised_before_the_audit_can_start(roots: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = told(monkeypatch, "done")
    app = opened("audit")
    app.session_state["model_kind"] = "folder"
    app.run()
    assert asked == [ModelSpec(name=str(roots / "clip"))]
    said = words(app).replace("\\", "")
    for part in ("12,345", "32 × 32 pixels", "QuickGELU (image), GELU (text)", "20 tokens", "CLIPTokenizer",
                 "Positions were resized.", "GEM, image side: needs attention", "first end token (id 2)"):  # fmt: skip
        assert part in said, part
    assert not start(app).disabled
    weights = next(box for box in app.selectbox if box.label == "Weights")
    assert weights.options == ["as usual", "epoch_1.safetensors", "model.safetensors"]


@pytest.mark.parametrize(("state", "line"), [("running", "wait until"), ("failed", "cannot be used")])
def test_an_audit_does_not_start_before_or_without_an_answer(
    roots: Path, monkeypatch: pytest.MonkeyPatch, state: str, line: str
) -> None:
    told(monkeypatch, state, "its weights are damaged")
    app = opened("audit")
    app.session_state["model_kind"] = "folder"
    app.run()
    assert start(app).disabled
    assert any(line in item.value for item in app.warning)
    assert ("its weights are damaged" in "".join(item.value for item in app.error)) == (state == "failed")


def test_a_link_out_of_the_allowed_folders_is_refused(roots: Path, workspace: Path) -> None:
    (workspace / "secret").write_text("x")
    (roots / "clip" / "vocab.json").symlink_to(workspace / "secret")
    app = opened("audit")
    app.session_state["model_kind"] = "folder"
    app.run()
    assert "leads out of the folders" in "".join(item.value for item in app.error).replace("\\", "")
    assert start(app).disabled


def with_table(dataset: Dataset, rows: int, kind: str = "scores") -> AppTest:
    """The page after a table with so many rows of scores was uploaded."""
    lines = ["image,dog,cat", *(f"{image.name},0.2,{at / 1000}" for at, image in enumerate(dataset.images[:rows]))]
    app = opened("audit")
    app.session_state["model_kind"] = "table"
    app.session_state["uploaded_table"] = store_table("t.csv", io.BytesIO("\n".join(lines).encode()), kind)  # type: ignore[arg-type]
    return app.run()


def test_a_table_in_the_place_of_a_model_is_recognised_before_the_start(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RECOGNISED, "model", STORED)
    asked = told(monkeypatch, "done")
    app = with_table(dataset, len(dataset.images))
    (spec,) = asked
    assert spec.name.startswith("scores:") and spec.name.endswith("/t.csv")
    said = words(app).replace("\\", "")
    for part in (f"All {len(dataset.images)} images of the dataset have a row", "Texts in the table: dog, cat",
                 "a table of scores", "24 images, 2 texts", "GEM, image side: needs attention"):  # fmt: skip
        assert part in said, part
    # Methods are listed as unable to run; the analyses of the dataset are left to do.
    assert not start(app).disabled


@pytest.mark.parametrize(
    ("rows", "kind", "line"),
    [(3, "scores", "t.csv has no row for"), (24, "embeddings", "t.csv is not a table of embeddings")],
)
def test_a_table_that_does_not_fit_is_one_line(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch, rows: int, kind: str, line: str
) -> None:
    asked = told(monkeypatch, "done")
    app = with_table(dataset, rows, kind)
    assert line in "".join(item.value for item in app.error).replace("\\", "")
    assert start(app).disabled and asked == []


@pytest.mark.parametrize("kind", ["upload", "table"])
def test_uploads_can_be_switched_off(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setenv("LOUPE_MODEL_UPLOAD", "0")
    app = opened("audit")
    app.session_state["model_kind"] = kind
    app.run()
    assert "does not accept uploads" in words(app) and start(app).disabled


def test_no_process_is_started_for_a_bundled_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: Any, **__: Any) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(subprocess, "Popen", forbidden)
    app = opened("audit")
    assert not start(app).disabled
