"""Calling a task in a child with limits, from any thread of any process."""

from __future__ import annotations

import atexit
import dataclasses
import json
import os
import select
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from core import errors
from core.plugins import NONE, SETTING
from core.sandbox import frames
from core.sandbox.allowance import Allowance, Answer, Failure, failure
from core.settings import ROOT

Task = Callable[..., tuple[Any, bytes]]

# What Python, the loader and numeric libraries need; no proxy, token, key or home folder of the caller.
_KEPT = (
    "PATH", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "LD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH",
    "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE",
)  # fmt: skip
_SET = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "HF_HUB_OFFLINE": "1",
    # Code of others never meets a stranger's file.
    SETTING: NONE,
}
_GRACE = 30.0  # seconds beyond a call's own limit, for a server that has to start on a busy machine
_LONGEST_WAIT = 1_000_000.0  # seconds
_MOMENT = 5.0  # seconds
_MOST_HEAD = 2**20


class Sandbox:
    """One server and its calls, one at a time; started at the first call and again whenever it has died."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._server: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._calls = 0
        self._stopped = False

    @property
    def busy(self) -> bool:
        """Whether a call would have to wait."""
        return self._calls > 0

    def call(self, task: Task, *arguments: Any, data: bytes = b"", allowance: Allowance | None = None) -> Answer:
        """What `task(data, *arguments)` returns, a JSON value and bytes, run in a child of its own.

        `task` is a function at the top of a module of `core` that does not load torch; `arguments` are JSON values (a
        path as text). If the module has a function `warm_up`, the server calls it before it forks. Raises the `Refused`
        or `LoupeError` that the task raised, with its text, and `Failure` if it ran out of its allowance, died, or
        raised anything else; both tell `seconds` and `memory`. Whatever happens to it, the next call works.
        """
        given = allowance or Allowance()
        head = {
            "task": f"{task.__module__}:{task.__qualname__}",
            "arguments": arguments,
            "allowance": dataclasses.asdict(given),
        }
        self._stopped = False
        self._calls += 1
        try:
            with self._lock:
                told, answer = self._exchanged(frames.packed(head, data), given)
        except BaseException:
            # An interrupt, or a server that is gone: what the pipes hold now belongs to nobody.
            self.close()
            raise
        finally:
            self._calls -= 1
        try:
            return _answer(told, answer, given)
        except (Failure, errors.Refused) as error:
            error.seconds, error.memory = float(told["seconds"]), int(told["memory"])
            raise

    def stop(self) -> None:
        """End the server while another thread waits for it; that call fails."""
        server = self._server
        if server is not None and self._owner == os.getpid():
            self._stopped = True
            server.kill()
            server.wait()

    def close(self) -> None:
        """End the server, and with it whatever it runs."""
        with self._lock:
            server, self._server = self._server, None
            if server is None:
                return
            # A process that was forked from the one that started the server has no say over it.
            if self._owner == os.getpid():
                server.kill()
                server.wait()
            for stream in (server.stdin, server.stdout):
                if stream is not None:
                    stream.close()

    def _exchanged(self, pieces: list[bytes | bytearray], allowance: Allowance) -> tuple[dict[str, Any], bytearray]:
        used = self._server is not None
        try:
            return self._exchange(pieces, allowance)
        except Failure:
            # A server that has died since its last call says nothing about this file.
            if not used or self._stopped or (self._server is not None and not _ended(self._server)):
                raise
            self.close()
            return self._exchange(pieces, allowance)

    def _exchange(self, pieces: list[bytes | bytearray], allowance: Allowance) -> tuple[dict[str, Any], bytearray]:
        server = self._started()
        assert server.stdin is not None and server.stdout is not None
        deadline = time.monotonic() + allowance.wall + _GRACE
        try:
            frames.write(server.stdin.fileno(), pieces)
            head, data = frames.lengths(bytes(_read(server.stdout.fileno(), frames.LENGTHS, deadline)))
            if head > _MOST_HEAD:
                raise ValueError("the answer of the server has another form")
            told = json.loads(_read(server.stdout.fileno(), head, deadline))
            return told, _read(server.stdout.fileno(), data, deadline)
        except (OSError, ValueError) as error:
            raise failure("crash", allowance) from error

    def _started(self) -> subprocess.Popen[bytes]:
        if self._server is not None and (self._owner != os.getpid() or self._server.poll() is not None):
            self.close()
        if self._server is None:
            environment = {name: os.environ[name] for name in _KEPT if name in os.environ} | _SET
            self._server = subprocess.Popen(
                [sys.executable, "-m", "core.sandbox.server"],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                bufsize=0,
            )
            self._owner = os.getpid()
            for stream in (self._server.stdin, self._server.stdout):
                assert stream is not None
                frames.widen(stream.fileno())
        return self._server


class Sandboxes:
    """A few servers, so that threads need not wait for one another."""

    def __init__(self, count: int) -> None:
        self._all = [Sandbox() for _ in range(count)]

    def call(self, task: Task, *arguments: Any, data: bytes = b"", allowance: Allowance | None = None) -> Answer:
        """`Sandbox.call` on one that is free."""
        free = next((sandbox for sandbox in self._all if not sandbox.busy), self._all[0])
        return free.call(task, *arguments, data=data, allowance=allowance)

    def stop(self) -> None:
        """End whatever runs, at once."""
        for sandbox in self._all:
            sandbox.stop()

    def close(self) -> None:
        """End the servers."""
        for sandbox in self._all:
            sandbox.close()


def call(task: Task, *arguments: Any, data: bytes = b"", allowance: Allowance | None = None) -> Answer:
    """`Sandbox.call` on one of the sandboxes that this process keeps."""
    return _SHARED.call(task, *arguments, data=data, allowance=allowance)


def stop() -> None:
    """End whatever runs in the sandboxes that this process keeps: those calls fail."""
    _SHARED.stop()


def _ended(server: subprocess.Popen[bytes]) -> bool:
    """Whether a server whose pipe was closed has ended: the kernel closes its pipes a moment before."""
    try:
        server.wait(_MOMENT)
    except subprocess.TimeoutExpired:
        return False
    return True


def _answer(told: dict[str, Any], message: bytearray, allowance: Allowance) -> Answer:
    if told["ended"]:
        raise failure(told["ended"], allowance)
    try:
        head_length, data_length = frames.lengths(bytes(message[: frames.LENGTHS]))
        middle = frames.LENGTHS + head_length
        head = json.loads(message[frames.LENGTHS : middle])
        with memoryview(message) as whole:
            data = bytes(whole[middle:])
        message.clear()
        if len(data) != data_length or not isinstance(head, dict):
            raise ValueError("the answer has a length other than the one it declares")
        kind = head.get("failure")
    except (ValueError, RecursionError, ArithmeticError, AttributeError, struct.error) as error:
        raise failure("crash", allowance) from error
    if kind is not None:
        raise failure("memory" if kind == "memory" else "error", allowance, str(head.get("name", "")))
    if "error" in head:
        known = getattr(errors, str(head["error"]), None)
        if isinstance(known, type) and issubclass(known, errors.LoupeError | errors.Refused):
            raise known(str(head["text"]))
        raise failure("error", allowance, str(head["error"]))
    if "value" not in head:
        raise failure("crash", allowance)
    return Answer(head["value"], data, float(told["seconds"]), int(told["memory"]))


def _read(handle: int, count: int, deadline: float) -> bytearray:
    found = bytearray(count)
    rest = memoryview(found)
    # `select` would refuse the high numbers that a server with many connections hands out.
    waiting = select.poll()
    waiting.register(handle, select.POLLIN)
    while rest:
        # An allowance may be longer than `poll` can count.
        ready = waiting.poll(min(max(0.0, deadline - time.monotonic()), _LONGEST_WAIT) * 1000)
        count = os.readv(handle, [rest[: 2**20]]) if ready else 0
        if not count:
            raise ValueError("the server is gone or does not answer")
        rest = rest[count:]
    return found


_SHARED = Sandboxes(2)
atexit.register(_SHARED.close)

__all__ = ["Failure", "Sandbox", "call", "stop"]
