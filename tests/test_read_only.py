"""An archived run on media that cannot be written: it is looked at and verified where it lies."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from core.datasets import load_dataset
from core.runs.seal import seal
from core.settings import ROOT
from tests.support.made_run import made_run

MOUNT = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'


def read_only(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command to which `folder` is mounted read-only; skips the test where that is not permitted."""
    if not shutil.which("unshare"):
        pytest.skip("there is no unshare here")
    inside = ["unshare", "-m", "sh", "-c", MOUNT, str(folder)]
    if subprocess.run([*inside, "true"], capture_output=True).returncode:
        pytest.skip("mounting is not permitted here")
    return subprocess.run([*inside, *command], cwd=ROOT, capture_output=True, text=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    run = made_run(tmp_path / "archive" / "run", images=2, methods=("raw",))
    seal(run)
    return run.folder.parent


@pytest.mark.parametrize(("command", "told"), [("status", "run  done  2/2"), ("verify", ": sound")])
def test_a_run_is_read_where_nothing_can_be_written(folder: Path, command: str, told: str) -> None:
    done = read_only(folder, sys.executable, "-m", "core", command, str(folder / "run"))
    assert (done.returncode, done.stderr) == (0, "")
    assert told in done.stdout.splitlines()[0]
    assert not list((folder / "run").glob("run.sqlite-*"))


def test_a_log_that_was_never_written_back_is_told_with_the_way_out(folder: Path) -> None:
    (folder / "run" / "run.sqlite-wal").write_bytes(b"x" * 5000)
    done = read_only(folder, sys.executable, "-m", "core", "status", str(folder / "run"))
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "copy the run to a writable folder" in line


def test_thumbnails_are_made_elsewhere_and_kept_for_the_process(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root,) = (path.parent for path in folder.rglob("dataset.json"))
    dataset = load_dataset(root)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    first = dataset.thumbnail(dataset.images[0])
    assert first.exists() and root not in first.parents
    assert dataset.thumbnail(dataset.images[0]) == first
    monkeypatch.undo()
    assert root in dataset.thumbnail(dataset.images[0]).parents
