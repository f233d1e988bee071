"""What the tests of the sandbox run in it."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

from core.errors import InputError, Refused
from core.sandbox import frames

FORGED = frames.packed({"value": "forged"})


def mirror(data: bytes, *arguments: Any) -> tuple[Any, bytes]:
    print("what a library prints is no part of the answer")
    return list(arguments), data[::-1]


def spin(data: bytes) -> tuple[Any, bytes]:
    while True:
        pass


def wait(data: bytes) -> tuple[Any, bytes]:
    os.read(os.pipe()[0], 1)
    return None, b""


def fill(data: bytes, count: int) -> tuple[Any, bytes]:
    return len(bytearray(count)), b""


def flood(data: bytes, count: int) -> tuple[Any, bytes]:
    return None, bytes(count)


def die(data: bytes, number: int) -> tuple[Any, bytes]:
    os.kill(os.getpid(), number)
    return None, b""


def end_server(data: bytes) -> tuple[Any, bytes]:
    os.kill(os.getppid(), 9)
    return None, b""


def leave(data: bytes) -> tuple[Any, bytes]:
    os._exit(0)


def linger(data: bytes) -> tuple[Any, bytes]:
    os.closerange(0, 256)
    os.read(os.pipe()[0], 1)
    return None, b""


def stumble(data: bytes) -> tuple[Any, bytes]:
    raise IndexError("list index out of range\nwith a second line")


def recurse(data: bytes) -> tuple[Any, bytes]:
    return recurse(data)


def refuse(data: bytes) -> tuple[Any, bytes]:
    raise Refused("is empty (0 bytes); export it again")


def object_to(data: bytes) -> tuple[Any, bytes]:
    raise InputError("the table has no rows")


def write(data: bytes, path: str) -> tuple[Any, bytes]:
    Path(path).write_bytes(data)
    return None, b""


def connect(data: bytes, port: int) -> tuple[Any, bytes]:
    with socket.create_connection(("127.0.0.1", port), timeout=5):
        return "connected", b""


def environment(data: bytes) -> tuple[Any, bytes]:
    return dict(os.environ), b""


def who(data: bytes) -> tuple[Any, bytes]:
    return [os.getpid(), os.getppid()], b""


def forge(data: bytes) -> tuple[Any, bytes]:
    """What a child writes that a file has taken over: a server's message on every pipe that it finds."""
    for handle in range(256):
        try:
            frames.write(handle, frames.packed({"ended": "", "seconds": 0, "memory": 0}, b"".join(FORGED)))
        except OSError:
            continue
    os._exit(0)


def methods(data: bytes) -> tuple[Any, bytes]:
    from core.methods import METHODS

    return {"plugged": sorted(METHODS.plugged()), "setting": os.environ["LOUPE_PLUGINS"]}, b""
