"""Why a run's worker is gone although its work is not over, as far as this machine knows. No torch."""

from __future__ import annotations

import shutil
import signal
import socket
from datetime import datetime

from core.processes import host_of, is_here
from core.runs import Progress, Run
from core.runs.lease import LEASE_SECONDS

# Less room than this, and nothing of a run can be written.
FULL = 8 * 2**20


def death(run: Run, now: Progress) -> str:
    """The reason, in one or two sentences; empty if the worker lives or the work is over."""
    if not now.died:
        return ""
    if shutil.disk_usage(run.folder).free < FULL:
        return "The disk is full, so the worker process could not go on. Free some space first."
    kind, _, number = now.ended.partition(" ")
    if kind == "signal" and number.isdecimal():
        return f"The worker process {killed(int(number))}"
    if kind == "code" and number.isdecimal():
        return f"The worker process ended with exit code {number}; worker.log in the folder of the audit says more."
    owner = run.store.get("worker")
    seen = _last_seen(run.store.get("lease"))
    if owner.count(":") >= 2 and not is_here(owner):
        if host_of(owner) == socket.gethostname():
            return f"The machine or its container was restarted while the worker process was running.{seen}"
        return f"The worker process on host {host_of(owner)[:64]!r} no longer reports.{seen}"
    return f"The worker process is gone: it was killed, or the machine ran out of memory.{seen}"


def killed(number: int) -> str:
    """What a signal did to a process, as the rest of a sentence, and where it is known why."""
    memory = " The system does this when memory runs out; a person can do it too."
    return f"was killed by {signal_words(number)}.{memory if number == signal.SIGKILL else ''}"


def signal_words(number: int) -> str:
    """A signal by its number and, where the system knows one, its name."""
    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:
        return f"signal {number}"


def _last_seen(lease: str) -> str:
    try:
        return f" It was last seen at {datetime.fromtimestamp(float(lease) - LEASE_SECONDS):%H:%M:%S}."
    except (ValueError, OverflowError, OSError):
        return ""
