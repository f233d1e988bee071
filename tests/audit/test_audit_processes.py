"""Workers as processes: killed at any moment, started by the app, cancelled while they load."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from core.audit import launch
from core.audit.worker import work
from core.datasets import Dataset
from core.errors import RunError
from core.processes import runs_here
from core.runs import MethodPlan, Run, TrustPlan
from core.settings import ROOT
from tests.audit.small import loaded, new_run, plan_for, result_hashes

PATIENCE = 240.0
POLL = 0.05


@pytest.fixture(autouse=True)
def one_thread_below(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sum over two threads may round otherwise than one over a single thread."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def busy_run(folder: Path, dataset: Dataset, vit: Path) -> Run:
    methods = ("raw", MethodPlan(name="rise", options={"masks": 800, "cells": 4}), "gradcam")
    return new_run(folder, plan_for(dataset, vit, methods, trust=TrustPlan(steps=8, resamples=100)))


def wait_for_end(pid: int) -> None:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        ready, _, _ = select.select([handle], [], [], PATIENCE)
    finally:
        os.close(handle)
    assert ready, "the process didn't end"
    # Whoever started it may have waited for it by now.
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)


def test_a_killed_run_is_finished_with_the_same_bytes(
    tmp_path: Path, dataset: Dataset, vit: Path, rendered: list[str]
) -> None:
    killed = busy_run(tmp_path / "killed", dataset, vit)
    log = (tmp_path / "log").open("wb")
    child = subprocess.Popen(
        [sys.executable, "-m", "core", "worker", str(killed.folder)], cwd=ROOT, stdout=log, stderr=log
    )
    try:
        for _ in range(int(PATIENCE / POLL)):
            if killed.progress().done:
                break
            try:
                child.wait(timeout=POLL)
            except subprocess.TimeoutExpired:
                continue
            break
        assert child.poll() is None, (tmp_path / "log").read_text()
    finally:
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
        log.close()
    progress = killed.progress()
    assert not progress.alive
    assert 1 <= progress.done < progress.total
    finished = result_hashes(killed)
    whole = busy_run(tmp_path / "whole", dataset, vit)
    assert work(whole, model=loaded(vit)) == "done"
    tried = [unit["tries"] for unit in killed.store.units() if unit["state"] == "done"]
    assert work(killed, model=loaded(vit)) == "done"
    assert [unit["tries"] for unit in killed.store.units()][: len(tried)] == tried
    assert finished.items() <= result_hashes(killed).items()
    assert result_hashes(killed) == result_hashes(whole)
    assert len(result_hashes(whole)) == len(dataset.images)
    # The companion: another seed gives other bytes under other names.
    other = new_run(tmp_path / "other", whole.plan.model_copy(update={"seed": 1}))
    assert work(other, model=loaded(vit)) == "done"
    assert not set(result_hashes(other).values()) & set(result_hashes(whole).values())


def test_a_launched_worker_is_detached_and_can_be_cancelled_while_it_loads(
    tmp_path: Path, dataset: Dataset, vit: Path, rendered: list[str]
) -> None:
    run = busy_run(tmp_path / "run", dataset, vit)
    assert run.progress().state == "planned"
    launch.start(run, workers=2)
    owner = run.store.get("worker")
    pid = int(owner.rsplit(":", 2)[1])
    try:
        assert "--workers\0002\000" in Path(f"/proc/{pid}/cmdline").read_text()
        assert run.progress().alive
        assert run.progress().state == "running"
        assert os.getsid(pid) == pid != os.getsid(0)
        launch.start(run)
        assert run.store.get("worker") == owner
        with pytest.raises(RunError, match="another worker"):
            work(run, model=loaded(vit))
        launch.cancel(run)
        # A process that still loads its libraries is ended; one that has begun is told.
        assert run.progress().state in ("cancelled", "cancelling")
    finally:
        wait_for_end(pid)
    progress = run.progress()
    assert (progress.state, progress.alive) == ("cancelled", False), (run.folder / "worker.log").read_text()
    assert progress.done == 0
    assert not runs_here(owner)
    # What was cancelled goes on, and what has ended can't be cancelled.
    assert work(run, model=loaded(vit)) == "done"
    launch.cancel(run)
    assert run.progress().state == "done"
    launch.start(run)
    assert run.store.get("worker") == ""


def test_a_run_that_never_started_or_lost_its_worker_is_cancelled_at_once(
    tmp_path: Path, dataset: Dataset, vit: Path
) -> None:
    run = busy_run(tmp_path / "run", dataset, vit)
    launch.cancel(run)
    assert run.progress().state == "cancelled"
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    run.store.set(state="running", worker=f"{os.uname().nodename}:{ended.pid}:1")
    launch.cancel(run)
    assert run.progress().state == "cancelled"
