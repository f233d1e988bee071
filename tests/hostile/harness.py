"""Running items in processes that may hang, die or eat memory without harm to whoever asks."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from typing import Any

from core.settings import ROOT
from tests.hostile.item import Item

WALL = 150.0  # seconds by the clock: several times what 25 s of processor time take on a busy machine


@dataclass(frozen=True)
class Result:
    """What became of an item: its outcome, what was said, and every rule that was broken. Sound without problems."""

    name: str
    outcome: str
    text: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0  # of processor time, with all children
    memory: int = 0  # bytes at the peak of the largest process
    wall: float = 0.0


def checked(harness: Harness, item: Item) -> None:
    """Carry an item to its door; an `AssertionError` says what was wrong."""
    result = harness.run(item)
    assert not result.problems, f"{item.name} ({result.seconds} s, {result.memory / 1e9:.1f} GB): {result}"


class Harness:
    """Keeps one runner a door and asks it for one item at a time; one that hangs or dies is replaced."""

    def __init__(self, wall: float = WALL) -> None:
        self.wall = wall
        self._runners: dict[str, subprocess.Popen[bytes]] = {}
        # The runners' own, so that nothing is left of one that had to be killed.
        self._folder = tempfile.TemporaryDirectory(prefix="hostile-")

    def run(self, item: Item) -> Result:
        """Carry an item to its door. Always returns, within the limit of time."""
        runner = self._runner(item.door)
        assert runner.stdin is not None and runner.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            runner.stdin.write(item.name.encode() + b"\n")
            runner.stdin.flush()
        ready = select.select([runner.stdout], [], [], self.wall * max(1.0, item.seconds / 25))[0]
        line = runner.stdout.readline() if ready else b""
        if line:
            return Result(**json.loads(line))
        if not ready:
            problem = "hang"
        else:
            code = runner.wait()
            problem = "more processor time than allowed" if code == -signal.SIGXCPU else f"the process died ({code})"
        self.close(item.door)
        return Result(item.name, "hang" if not ready else "died", problems=[problem])

    def alone(self, item: Item) -> Result:
        """Carry an item to its door in a runner of its own: memory and time are exact, children included."""
        self.close(item.door)
        baseline = self._measured(self._start(item.door), None)
        runner = self._start(item.door)
        self._runners[item.door] = runner
        result = self.run(item)
        if item.door in self._runners:
            used = self._measured(self._runners.pop(item.door), baseline)
            return Result(**{**vars(result), **used})
        return result

    def close(self, door: str | None = None) -> None:
        """End the runner of a door, or all."""
        for name in [door] if door else list(self._runners):
            runner = self._runners.pop(name, None)
            if runner is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(runner.pid, signal.SIGKILL)
                runner.wait()
                for stream in (runner.stdin, runner.stdout):
                    if stream is not None:
                        stream.close()
        if door is None:
            self._folder.cleanup()

    def _runner(self, door: str) -> subprocess.Popen[bytes]:
        if door not in self._runners:
            self._runners[door] = self._start(door)
        return self._runners[door]

    def _start(self, door: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.hostile.runner", door],
            cwd=ROOT,
            env={
                **os.environ,
                "TMPDIR": self._folder.name,
                "PYTHONPATH": str(ROOT),
                "OMP_NUM_THREADS": "1",
                "PYTHONFAULTHANDLER": "",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    def _measured(self, runner: subprocess.Popen[bytes], baseline: dict[str, Any] | None) -> dict[str, Any]:
        assert runner.stdin is not None
        runner.stdin.close()
        _, status, used = os.wait4(runner.pid, 0)
        runner.returncode = os.waitstatus_to_exitcode(status)
        if runner.stdout is not None:
            runner.stdout.close()
        seconds = used.ru_utime + used.ru_stime - (baseline["seconds"] if baseline else 0.0)
        return {"seconds": round(max(0.0, seconds), 2), "memory": used.ru_maxrss * 1024}
