"""The further processes that share the units of a run, seen from the one that leads: started, watched, stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from types import TracebackType
from typing import Self

from core.audit.death import killed
from core.models.model import Meter
from core.runs import Run
from core.settings import ROOT

# Until one that was asked to stop has given its unit back; it looks for the request in the work itself.
STOP_SECONDS = 15.0


class Members:
    """So many processes beside this one. Each loads the model, claims units until none waits, and ends.

    They end within a second when the process that leads them does. `spent` holds what those that ended in order have
    spent; of one that was killed it is not known.
    """

    def __init__(self, run: Run, leader: str, count: int, threads: int) -> None:
        self.spent = Meter()
        self._run, self._leader, self._threads, self._count = run, leader, threads, count
        self._running: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        try:
            for _ in range(self._count):
                self._running.append(self._start())
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop()

    @property
    def alive(self) -> int:
        """How many of them still run."""
        return sum(child.poll() is None for child in self._running)

    def ended(self) -> list[str]:
        """One line for each that has ended since the last call and should not have."""
        lines = []
        for child in [child for child in self._running if child.poll() is not None]:
            self._running.remove(child)
            self._count_spent(child)
            if child.returncode < 0:
                lines.append(f"a worker process {killed(-child.returncode)} The others take its units.")
            elif child.returncode:
                lines.append(f"a worker process ended with exit code {child.returncode}; the others take its units")
        return lines

    def _start(self) -> subprocess.Popen[bytes]:
        folder = str(self._run.folder.absolute())
        threads = str(self._threads)
        return subprocess.Popen(
            [sys.executable, "-m", "core", "worker", folder, "--joins", self._leader, "--threads", threads, "--json"],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": threads},
        )

    def _stop(self) -> None:
        # By default the signal ends a process; one that has begun to work gives its unit back first.
        for child in self._running:
            child.send_signal(signal.SIGUSR1)
        for child in self._running:
            try:
                child.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            self._count_spent(child)
        self._running.clear()

    def _count_spent(self, child: subprocess.Popen[bytes]) -> None:
        assert child.stdout is not None
        with child.stdout:
            told = child.stdout.read()
        if child.returncode == 0:
            spent = json.loads(told)
            self.spent.image += spent["image_forwards"]
            self.spent.text += spent["text_forwards"]
