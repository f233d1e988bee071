"""Several processes on one run: the same bytes as one, also when one of them is killed, and a request to stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from core.audit.engines import Engine, local
from core.audit.engines.member import join
from core.audit.hold import LostError
from core.audit.worker import work
from core.datasets import Dataset
from core.processes import runs_here, this_owner
from core.runs import MethodPlan, Run, TrustPlan
from core.settings import ROOT
from tests.audit.small import loaded, new_run, plan_for, result_hashes, take_in

TWO = Engine(workers=2)
PATIENCE = 240.0
POLL = 0.05


@pytest.fixture(scope="module")
def six(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return take_in(tmp_path_factory.mktemp("six"), 6)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory, six: Dataset, vit: Path) -> dict[str, str]:
    """What one process makes."""
    run = small_run(tmp_path_factory.mktemp("one") / "run", six, vit)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOUPE_HOME", str(run.folder.parent / "home"))
        assert work(run, model=loaded(vit), report=False) == "done"
    return result_hashes(run)


def small_run(folder: Path, dataset: Dataset, vit: Path) -> Run:
    methods = ("raw", MethodPlan(name="rise", options={"masks": 400, "cells": 4}), "gradcam")
    return new_run(folder, plan_for(dataset, vit, methods, trust=TrustPlan(steps=4, resamples=100)))


def until(found: Callable[[], Any]) -> Any:
    for _ in range(int(PATIENCE / POLL)):
        if value := found():
            return value
        time.sleep(POLL)
    raise AssertionError("what the test waits for did not happen")


def shared(monkeypatch: pytest.MonkeyPatch, act: Callable[[str], None]) -> list[str]:
    """Have this process wait in its first unit until another has one in hand, and act on that; returns who it was."""
    others: list[str] = []
    compute_one = local.compute_one

    def patient(run: Run, bench: Any, unit: Any, shard: Sequence[str]) -> None:
        if not others:
            other = until(lambda: run.store.elsewhere(this_owner()))
            others.append(other.owner)
            act(other.owner)
        compute_one(run, bench, unit, shard)

    monkeypatch.setattr(local, "compute_one", patient)
    return others


def kill(owner: str) -> None:
    os.kill(int(owner.rsplit(":", 2)[1]), signal.SIGKILL)
    until(lambda: not runs_here(owner))


@pytest.mark.nightly
def test_two_processes_share_a_run_stop_together_and_end_with_the_bytes_of_one(
    tmp_path: Path, six: Dataset, vit: Path, expected: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = small_run(tmp_path / "run", six, vit)
    with monkeypatch.context() as patch:
        others = shared(patch, lambda _: None if run.store.cancel() == "cancelling" else pytest.fail("not running"))
        assert work(run, model=loaded(vit), report=False, engine=TWO) == "cancelled"
    assert others and others[0] != this_owner()
    assert not runs_here(others[0])
    units = run.store.units()
    assert {unit["state"] for unit in units} <= {"waiting", "done"}
    assert all(unit["tries"] == (unit["state"] == "done") for unit in units)
    assert len(result_hashes(run)) < len(expected)
    others = shared(monkeypatch, lambda _: None)
    assert work(run, model=loaded(vit), report=False, engine=TWO) == "done"
    assert others
    assert result_hashes(run) == expected
    assert [unit["tries"] for unit in run.store.units()] == [1] * len(six.images)
    environment = run.manifest["environment"]
    assert (environment["engine"], environment["workers"], environment["threads"]) == ("local", 2, 1)


def test_a_process_that_is_killed_leaves_its_units_to_the_others(
    tmp_path: Path, six: Dataset, vit: Path, expected: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = small_run(tmp_path / "run", six, vit)
    others = shared(monkeypatch, kill)
    assert work(run, model=loaded(vit), report=False, engine=TWO) == "done"
    assert others
    assert result_hashes(run) == expected
    # The companion: the unit that it had in hand was begun twice, no other was.
    assert sorted(unit["tries"] for unit in run.store.units()) == [1] * (len(expected) - 1) + [2]
    told = [message for _, kind, message in run.store.events() if kind == "worker ended"]
    assert len(told) == 1 and "SIGKILL" in told[0]


@pytest.mark.nightly
def test_a_leading_process_that_is_killed_takes_the_others_with_it_and_the_run_is_resumed(
    tmp_path: Path, six: Dataset, vit: Path, expected: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    run = small_run(tmp_path / "run", six, vit)
    child = subprocess.Popen(
        [sys.executable, "-m", "core", "worker", str(run.folder), "--workers", "2"], cwd=ROOT, stderr=subprocess.DEVNULL
    )
    leader = until(lambda: run.store.get("worker"))
    other = until(lambda: run.store.elsewhere(leader) or child.poll() is not None).owner
    child.kill()
    child.wait()
    until(lambda: not runs_here(other))
    done = {unit["key"]: unit["tries"] for unit in run.store.units() if unit["state"] == "done"}
    assert len(done) < len(expected)
    assert work(run, model=loaded(vit), report=False, engine=TWO) == "done"
    assert {unit["key"]: unit["tries"] for unit in run.store.units() if unit["key"] in done} == done
    assert result_hashes(run) == expected


def test_a_process_joins_nobody_but_the_one_that_holds_the_run(tmp_path: Path, six: Dataset, vit: Path) -> None:
    run = small_run(tmp_path / "run", six, vit)
    with pytest.raises(LostError, match="another worker"):
        join(run, this_owner(), 1)


def test_units_keep_the_number_of_threads_that_the_finished_ones_had(
    tmp_path: Path, six: Dataset, vit: Path, expected: dict[str, str]
) -> None:
    run = small_run(tmp_path / "run", six, vit)
    assert work(run, model=loaded(vit), report=False) == "done"
    next((run.folder / "results").glob("*.parquet")).unlink()
    lines: list[str] = []
    assert work(run, lines.append, loaded(vit), report=False, engine=Engine(threads=2)) == "done"
    assert "units are computed with as many threads as the finished ones were: 1" in lines
    assert run.manifest["environment"]["threads"] == 1
    assert result_hashes(run) == expected


@pytest.mark.parametrize(
    ("cores", "engine", "threads"),
    [
        (2, Engine(), 2),
        (2, TWO, 1),
        (1, TWO, 1),
        (16, Engine(), 8),
        (16, Engine(workers=4), 1),
        (16, Engine(workers=4, threads=4), 4),
        (2, Engine(threads=3), 3),
    ],
)
def test_several_workers_have_one_thread_each_unless_told(cores: int, engine: Engine, threads: int) -> None:
    assert engine.threads_each(cores) == threads
