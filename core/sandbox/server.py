"""The process that forks one child for each call: `python -m core.sandbox.server`, started by the client.

It reads no file itself. Modules of tasks are imported here once, so that a child starts in about a millisecond; the
child runs the task within its limits, sends its answer and ends. Whatever a file did to it is gone with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import math
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from core import errors
from core.sandbox import frames
from core.sandbox.allowance import Allowance

_STDIN = 0
_HANDLES = 256
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_CLONE_NEWNET, _CLONE_NEWUSER = 0x40000000, 0x10000000
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def main() -> int:
    """Answer calls until the client closes the pipe."""
    answers = os.dup(1)
    # What a library prints must not become part of an answer.
    silence = os.open(os.devnull, os.O_RDWR)
    os.dup2(silence, 1)
    _without_network()
    if _LIBC is not None:
        # No child may read or change this process's memory.
        _LIBC.prctl(_PR_SET_DUMPABLE, 0)
    tasks: dict[str, Callable[..., tuple[Any, bytes]]] = {}
    while (message := frames.read(_STDIN)) is not None:
        head, data = message
        allowance = Allowance(**head["allowance"])
        name = head["task"]
        if name not in tasks:
            module, _, function = name.partition(":")
            loaded = importlib.import_module(module)
            # What libraries load at their first use is loaded here, before it would be in each child.
            getattr(loaded, "warm_up", lambda: None)()
            tasks[name] = getattr(loaded, function)
            gc.collect()
            gc.freeze()
        told, answer = _one(tasks[name], head["arguments"], data, allowance)
        frames.write(answers, frames.packed(told, answer))
    return 0


def _one(
    task: Callable[..., tuple[Any, bytes]], arguments: list[Any], data: bytes, allowance: Allowance
) -> tuple[dict[str, Any], bytes | bytearray]:
    """Run a task in a child. Returns how it ended and the child's message, unread."""
    reader, writer = os.pipe()
    frames.widen(reader)
    child = os.fork()
    if child == 0:
        os.close(reader)
        _child(task, arguments, data, allowance, writer)
    os.close(writer)
    found, cut = _collected(reader, child, allowance)
    os.close(reader)
    # One that has closed its end but does not end would be waited for for ever.
    _stop(child)
    _, status, used = os.wait4(child, 0)
    seconds = used.ru_utime + used.ru_stime
    peak = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    ended = cut
    if not ended and os.WIFSIGNALED(status):
        stopped = os.WTERMSIG(status)
        slow = stopped == signal.SIGXCPU or (stopped == signal.SIGKILL and seconds >= allowance.seconds)
        ended = "time" if slow else "size" if stopped == signal.SIGXFSZ else "crash"
    return {"ended": ended, "seconds": seconds, "memory": peak}, b"" if ended else found


def _collected(reader: int, child: int, allowance: Allowance) -> tuple[bytearray, str]:
    """What the child sends until it closes its end; and why it was stopped, if it was."""
    found = bytearray()
    deadline = time.monotonic() + allowance.wall
    while True:
        left = deadline - time.monotonic()
        ready = select.select([reader, _STDIN], [], [], max(left, 0.0))[0]
        if _STDIN in ready:
            # No message comes while one is in work: the client is gone, and nobody waits for an answer.
            _stop(child)
            os._exit(0)
        if not ready:
            _stop(child)
            return found, "time"
        piece = os.read(reader, 2**20)
        if not piece:
            return found, ""
        found += piece
        if len(found) > allowance.answer + 2**16:
            _stop(child)
            return found, "size"


def _child(
    task: Callable[..., tuple[Any, bytes]], arguments: list[Any], data: bytes, allowance: Allowance, writer: int
) -> None:
    """In the child: limits, then the task, then its answer. Never returns."""
    try:
        os.setpgid(0, 0)
        # Nothing but its own answer may be written to: not the pipe on which the client reads this server.
        os.close(_STDIN)
        os.closerange(3, writer)
        os.closerange(writer + 1, _HANDLES)
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            _LIBC.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        _limit(allowance)
        frames.write(writer, _told(task, arguments, data))
    finally:
        # Nothing of the server may run on in here, whatever happened.
        os._exit(0)


def _told(task: Callable[..., tuple[Any, bytes]], arguments: list[Any], data: bytes) -> list[bytes | bytearray]:
    try:
        value, answer = task(data, *arguments)
        return frames.packed({"value": value}, answer)
    except MemoryError:
        return frames.packed({"failure": "memory"})
    except (errors.LoupeError, errors.Refused) as error:
        return frames.packed({"error": type(error).__name__, "text": str(error)})
    except Exception as error:  # noqa: BLE001 - a decoder may fail in any way on hostile bytes: the file is refused
        return frames.packed({"failure": "error", "name": type(error).__name__})


def _limit(allowance: Allowance) -> None:
    seconds = max(1, math.ceil(allowance.seconds))
    wanted = [
        (resource.RLIMIT_CPU, seconds, seconds + 1),
        (resource.RLIMIT_FSIZE, allowance.written, allowance.written),
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_NOFILE, _HANDLES, _HANDLES),
    ]
    # macOS accepts no limit of address space; there the limits of time and of sizes have to do.
    if sys.platform == "linux":
        wanted.append((resource.RLIMIT_AS, allowance.memory, allowance.memory))
    for kind, soft, hard in wanted:
        _, most = resource.getrlimit(kind)
        if most != resource.RLIM_INFINITY:
            soft, hard = min(soft, most), min(hard, most)
        resource.setrlimit(kind, (soft, hard))


def _without_network() -> None:
    """Leave the network where the kernel permits it: no file needs it. Elsewhere nothing changes."""
    if _LIBC is not None:
        root = os.geteuid() == 0
        # Root would lose its rights to other people's files in a user namespace of its own, and needs none.
        _LIBC.unshare(_CLONE_NEWNET if root else _CLONE_NEWNET | _CLONE_NEWUSER)


def _stop(child: int) -> None:
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(child, signal.SIGKILL)


if __name__ == "__main__":
    # An interrupt is for the client, which then closes the pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(main())
