"""Opening files that may be anything: only regular ones are read, and nothing waits for a pipe."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from io import BufferedReader
from pathlib import Path

from core.errors import Refused


def open_regular(path: Path) -> BufferedReader:
    """The file at `path`, open for reading. Raises `OSError`, also for what is no regular file (EINVAL).

    A pipe without a writer does not block, and what was opened is what is checked.
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def read_regular(path: Path, most: int) -> bytes:
    """The bytes of a regular file. Raises `OSError`, and `Refused` if it holds more than `most` bytes."""
    with open_regular(path) as stream:
        data = stream.read(most + 1)
    if len(data) > most:
        raise Refused(f"is larger than {most:,} bytes")
    return data


def hash_regular(path: Path) -> tuple[str, int]:
    """SHA-256 (64 hex digits) and size in bytes of a regular file, read in pieces. Raises `OSError`."""
    with open_regular(path) as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return digest, stream.tell()
