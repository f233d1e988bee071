"""Starting and stopping the worker process of a run from a process that never loads torch."""

from __future__ import annotations

import os
import subprocess
import sys

from core.errors import DamagedError
from core.processes import owner_of, this_owner
from core.runs import FINISHED, Run
from core.settings import ROOT


def start(run: Run) -> None:
    """Start a detached worker for `run`, also to resume it. Does nothing if one is alive or the run is finished.

    The worker outlives the page that asked for it; its output goes to `worker.log` in the run directory. A run whose
    record is damaged is started too: the worker rebuilds it.
    """
    store, owner = run.store, this_owner()
    try:
        progress = run.progress()
        # Held from now on, so that a cancel or a second start finds a worker while that is still loading torch.
        if progress.alive or progress.state in FINISHED or not store.take(owner):
            return
        before = store.get("before") or progress.state
        store.set(state="running", stage="starting", message="", before=before)
    except DamagedError:
        _worker(run)
        return
    try:
        child = _worker(run)
    except OSError:
        store.set(state=progress.state, stage="", before="")
        store.leave(owner)
        raise
    store.hand_over(owner, owner_of(child.pid))


def cancel(run: Run) -> None:
    """Ask the worker to stop after the work in hand. What is finished stays; `start` goes on from there."""
    run.store.cancel()


def _worker(run: Run) -> subprocess.Popen[bytes]:
    with (run.folder / "worker.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "core", "worker", str(run.folder), "--launched"],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
