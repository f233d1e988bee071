"""Who a process is, so that another one can tell whether it still lives: the machine, its number and its start.

Two processes are on the same machine if they share the boot and the numbering of processes. A host name says neither:
it changes when a container is replaced or a laptop is renamed, and two containers of one host count their processes
apart.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")


def this_owner() -> str:
    """Who this process is: host and machine, process id and its start, so that a re-used id is not taken for it."""
    return owner_of(os.getpid())


def owner_of(pid: int) -> str:
    """Who the process `pid` of this machine is."""
    return f"{socket.gethostname()}/{machine()}:{pid}:{started(pid)}"


@cache
def machine() -> str:
    """This boot of this machine and its numbering of processes; from the host name where the system tells neither."""
    try:
        numbering = os.stat("/proc/self/ns/pid").st_ino
        told = f"{_BOOT.read_text().strip()} {numbering}"
    except OSError:
        told = socket.gethostname()
    return hashlib.sha256(told.encode()).hexdigest()[:12]


def host_of(owner: str) -> str:
    """The host name in an owner."""
    return owner.rsplit(":", 2)[0].partition("/")[0]


def is_here(owner: str) -> bool:
    """Whether the owner is a process of this machine, so that its process can be asked for."""
    host, _, of = owner.rsplit(":", 2)[0].partition("/")
    return of == machine() if of else host == socket.gethostname()


def runs_here(owner: str) -> bool:
    """Whether the owner is a process of this machine that still runs."""
    parts = owner.rsplit(":", 2)
    if len(parts) != 3 or not is_here(owner) or not parts[1].isdecimal():
        return False
    found = started(int(parts[1]))
    return found != "" and found == parts[2]


def started(pid: int) -> str:
    """When the process began, in ticks since the boot; empty if there is none or nobody has waited for its end."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        if Path("/proc/self/stat").exists():
            return ""
        return _started_without_proc(pid)
    return "" if fields[0] == "Z" else fields[19]


def is_locked(path: Path) -> bool:
    """Whether a living process holds the lock of a file, which ends with it; False if there is no such file."""
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One process at a time. The lock is on the folder itself, so that no further file comes under a seal.

    It ends with its process. Raises `OSError` where the folder cannot be opened or locked.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _started_without_proc(pid: int) -> str:
    # macOS has no /proc: existence is all that can be told cheaply.
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        return "running"
    return "running"
