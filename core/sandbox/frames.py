"""Messages between the processes: a JSON head and bytes. Never pickled: a file may have taken the sender over."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import struct
import sys
from typing import Any

_LENGTHS = struct.Struct(">IQ")
LENGTHS = _LENGTHS.size


def packed(head: Any, data: bytes | bytearray = b"") -> list[bytes | bytearray]:
    """The message as pieces to write one after the other. Lone surrogates pass, as escapes."""
    text = json.dumps(head, separators=(",", ":")).encode("ascii")
    return [_LENGTHS.pack(len(text), len(data)), text, data]


def widen(handle: int) -> None:
    """Let a pipe hold a mebibyte where the system permits it: fewer turns between the processes."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            fcntl.fcntl(handle, fcntl.F_SETPIPE_SZ, 2**20)


def lengths(start: bytes) -> tuple[int, int]:
    """How many bytes of head and of data follow the first `LENGTHS` bytes of a message."""
    head, data = _LENGTHS.unpack(start)
    return int(head), int(data)


def write(handle: int, pieces: list[bytes | bytearray]) -> None:
    """All pieces to a file descriptor. Raises `OSError` if nobody reads any more."""
    for piece in pieces:
        rest = memoryview(piece)
        while rest:
            rest = rest[os.write(handle, rest) :]


def read(handle: int) -> tuple[Any, bytes] | None:
    """The next message from a file descriptor; None at its end. Raises `ValueError` if it ends within a message."""
    start = _exactly(handle, LENGTHS)
    if not start:
        return None
    head, data = lengths(bytes(start))
    return json.loads(bytes(_exactly(handle, head))), bytes(_exactly(handle, data))


def _exactly(handle: int, count: int) -> bytearray:
    found = bytearray(count)
    rest = memoryview(found)
    while rest:
        piece = os.readv(handle, [rest[: 2**20]])
        if not piece:
            if len(rest) < count:
                raise ValueError("the message ends too early")
            return bytearray()
        rest = rest[piece:]
    return found
