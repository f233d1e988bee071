"""What a model is, asked of a process of its own: the answer, the line of a refusal, and one process for each model."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from benchmarks.support.hub_models import save_clip
from core.audit import preview
from core.describing import description
from core.errors import InputError
from core.models.loading import load_model
from core.processes import is_locked
from core.runs import ModelSpec
from core.settings import LIMITS, previews_folder


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOUPE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return tmp_path


def ended(spec: ModelSpec) -> preview.Preview:
    """The preview once its process has ended."""
    preview.begin(spec)
    for child in preview._children:
        child.wait()
    return preview.preview(spec)


def test_a_folder_is_described_as_the_model_describes_itself(tmp_path: Path) -> None:
    folder = save_clip(tmp_path / "clip").folder
    spec = ModelSpec(name=str(folder), device="cpu")
    assert preview.preview(spec) == preview.NOTHING
    found = ended(spec)
    assert found.state == "done", found.error
    model = load_model(folder, device="cpu")
    assert found.data["model"]["digest"] == model.digest
    assert found.data["model"]["recognised"]["kind"] == "CLIPModel"
    assert found.data["not_run"] == description(model)["not_run"]
    # Other files are another model.
    (folder / "notes.txt").write_text("x")
    assert preview.preview(spec) == preview.NOTHING
    shutil.rmtree(folder)
    assert preview.preview(spec) == preview.NOTHING


def test_a_refusal_is_one_line_and_can_be_asked_again(tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    spec = ModelSpec(name=str(folder))
    found = ended(spec)
    assert found.state == "failed" and "is not a model" in found.error and "\n" not in found.error
    preview.forget(spec)
    assert preview.preview(spec) == preview.NOTHING


def test_no_more_processes_than_the_limit_run_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    holders = []
    for number in range(LIMITS.previews):
        folder = previews_folder() / str(number)
        folder.mkdir(parents=True)
        holders.append((folder / "lock").open("w"))
        fcntl.flock(holders[-1], fcntl.LOCK_EX)
        assert is_locked(folder / "lock")
    with pytest.raises(InputError, match="which is the limit"):
        preview.begin(ModelSpec(name="demo"))
    for holder in holders:
        holder.close()


def test_old_previews_are_removed_and_young_ones_stay() -> None:
    for name, age in (("old", preview.KEPT + 60), ("young", 0)):
        folder = previews_folder() / name
        folder.mkdir(parents=True)
        at = os.stat(folder).st_mtime - age
        os.utime(folder, (at, at))
    preview.sweep()
    assert [path.name for path in previews_folder().iterdir()] == ["young"]
