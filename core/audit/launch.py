"""Starting and stopping the worker process of a run from a process that never loads torch."""

from __future__ import annotations

import os
import subprocess
import sys

from core.runs import FINISHED, STOPPED, Run
from core.runs.store import owner_of
from core.settings import ROOT


def start(run: Run) -> None:
    """Start a detached worker for `run`, also to resume it. Does nothing if one is alive or the run is finished.

    The worker outlives the page that asked for it; its output goes to `worker.log` in the run directory.
    """
    progress = run.progress()
    if progress.alive or progress.state in FINISHED:
        return
    run.store.set(state="running", stage="starting", message="")
    with (run.folder / "worker.log").open("ab") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "core", "worker", str(run.folder)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    # Known from now on, so that a cancel or a second start finds it while it is still loading torch.
    run.store.take(owner_of(child.pid))


def cancel(run: Run) -> None:
    """Ask the worker to stop after the work in hand. What is finished stays; `start` goes on from there."""
    progress = run.progress()
    if progress.state in STOPPED:
        return
    if progress.alive:
        run.store.set(state="cancelling")
    else:
        run.store.set(state="cancelled", stage="")
