"""Starting and stopping the worker process of a run from a process that never loads torch."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress

from core.audit.engines import MOST_WORKERS
from core.errors import DamagedError, LoupeError
from core.processes import owner_of, runs_here, this_owner
from core.runs import FINISHED, Run
from core.runs.opened import check_changeable
from core.runs.store import AT_WORK, RunState
from core.settings import ROOT

STARTING = "starting"


def start(run: Run, workers: int = 0) -> None:
    """Start a detached worker for `run`, also to resume it. Does nothing if one is alive or the run is finished.

    `workers` processes compute its units; 0 is what it was last started with, or what the environment says.

    The worker outlives the page that asked for it; its output goes to `worker.log` in the run directory. A run whose
    record is damaged is started too: the worker rebuilds it.
    """
    check_changeable(run)
    store, owner = run.store, this_owner()
    try:
        progress = run.progress()
        # Held from now on, so that a cancel or a second start finds a worker while that is still loading torch.
        if progress.alive or progress.state in FINISHED or not store.take(owner):
            return
        before = store.get("before") or progress.state
        workers = workers or _asked(store.get("workers_asked"))
        store.set(workers_asked=str(workers or ""))
        store.set(state="running", stage=STARTING, message="", before=before, ended="", steps="")
    except DamagedError:
        _worker(run)
        return
    try:
        child = _worker(run, workers)
    except OSError:
        store.set(state=progress.state, stage="", before="")
        store.leave(owner)
        raise
    store.hand_over(owner, owner_of(child.pid))
    threading.Thread(target=_note_end, args=(run, child), daemon=True).start()


def cancel(run: Run) -> RunState:
    """Ask the worker to stop, and return the state of the run. What is finished stays; `start` goes on from there.

    One that is still loading its libraries cannot look at the request, and has nothing in hand: it is ended.
    """
    state = run.store.cancel()
    if state != "cancelling" or run.store.get("stage") != STARTING:
        return state
    owner = run.store.get("worker")
    if owner == this_owner() or not runs_here(owner):
        return state
    with suppress(ProcessLookupError, PermissionError):
        os.kill(int(owner.rsplit(":", 2)[1]), signal.SIGKILL)
    run.store.leave(owner)
    return run.store.cancel()


def _note_end(run: Run, child: subprocess.Popen[bytes]) -> None:
    """Wait for the worker, and note how it ended if it left the run unfinished: only its parent is ever told."""
    code = child.wait()
    with suppress(LoupeError, OSError):
        if run.progress().state in AT_WORK and run.store.holder() is None:
            run.store.set(ended=f"signal {-code}" if code < 0 else f"code {code}")


def _asked(told: str) -> int:
    """The number of processes that a run was last started with; 0 for none, or for what is no such number."""
    return int(told) if told.isdecimal() and 1 <= int(told[:6]) <= MOST_WORKERS else 0


def _worker(run: Run, workers: int = 0) -> subprocess.Popen[bytes]:
    several = ["--workers", str(workers)] if workers else []
    with (run.folder / "worker.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "core", "worker", str(run.folder.absolute()), "--launched", *several],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
