"""`kill -9` at any moment of an audit: the same command ends with the same results, and nothing is left behind.

CI kills a fork of this process at five seeded moments; `make nightly` kills `python -m core audit` at fifty, with the
report really rendered.
"""

from __future__ import annotations

import os
import random
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from core.settings import ROOT
from tests.audit.test_fault_injection import Bench, bench, left_by  # noqa: F401

FORKS, PROCESSES = 5, 50
# Seconds; no audit, not even one on a machine with nothing else to do, ends as soon as this.
SHORTEST = 0.001
SEED = 20_261_128


def kill_after(pid: int, seconds: float) -> bool:
    """Kill a child after a time, or let it end before; whether it was killed."""
    handle = os.pidfd_open(pid)
    try:
        ended, _, _ = select.select([handle], [], [], seconds)
    finally:
        os.close(handle)
    if not ended:
        os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL


def forked_audit(bench: Bench, place: Path) -> int:  # noqa: F811
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = bench.audit_here(place)
        finally:
            os._exit(code)
    return pid


def moments(count: int) -> list[float]:
    """When to kill, as shares of the time that an audit takes."""
    chance = random.Random(SEED)
    return [chance.random() for _ in range(count)]


def tried(start: Callable[[Path], int], finish: Callable[[Path], int], bench: Bench, count: int) -> None:  # noqa: F811
    place = bench.fresh()
    began = time.monotonic()
    assert not kill_after(start(place), 600.0), "the audit that nothing disturbs did not end"
    whole = time.monotonic() - began
    expected = left_by(place)
    assert expected["state"] == "done" and expected["left"] == expected["changed"] == ""
    for moment in moments(count):
        seconds = moment * whole
        place = bench.fresh()
        # How long an audit takes depends on what else the machine does: one that had ended is tried again, earlier.
        while not kill_after(start(place), seconds):
            assert seconds > SHORTEST, "an audit ends before it can be killed"
            seconds /= 2
            place = bench.fresh()
        assert finish(place) == 0, moment
        assert left_by(place) == expected, moment


def test_an_audit_that_is_killed_at_any_moment_ends_with_the_same_results(bench: Bench) -> None:  # noqa: F811
    tried(lambda place: forked_audit(bench, place), lambda place: bench.audit(place)[0], bench, FORKS)


@pytest.mark.nightly
def test_the_command_killed_at_many_moments_ends_with_the_same_results(bench: Bench) -> None:  # noqa: F811
    def started(place: Path) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ, "LOUPE_HOME": str(place / "home"), "TMPDIR": str(place / "tmp"), "OMP_NUM_THREADS": "1",
        }  # fmt: skip
        command = [sys.executable, "-m", "core", *bench.arguments, str(place / "run")]
        return subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    tried(lambda place: started(place).pid, lambda place: started(place).wait(), bench, PROCESSES)
