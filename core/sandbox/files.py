"""Reading a file that a stranger may have chosen: an ordinary one, as long as it says, within a bound."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import InputError, Refused

CHUNK = 2**20


@contextmanager
def opened(path: Path | str, *, links: bool = True) -> Iterator[tuple[int, int]]:
    """The descriptor and the size in bytes of a regular file; `links`: whether the path may itself be a link.

    Raises `Refused` for a folder, a device, a pipe, a socket, a link that is not wanted, and what cannot be opened.
    """
    flags = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | (0 if links else getattr(os, "O_NOFOLLOW", 0))
    try:
        # Opening some devices does something already, so the kind is asked for first, and again of what was opened.
        _check(os.stat(path, follow_symlinks=links))
        # O_NONBLOCK so that a pipe without a writer does not stop the reader.
        handle = os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))
    except (OSError, ValueError) as error:
        raise Refused(f"cannot be read ({_why(error)}); check that it exists and check its permissions") from error
    try:
        there = os.fstat(handle)
        _check(there)
        yield handle, there.st_size
    finally:
        os.close(handle)


def chunks(path: Path | str, *, links: bool = True) -> Iterator[bytes]:
    """A regular file's bytes in pieces of at most `CHUNK`.

    Raises `Refused` as `opened` does, for what cannot be read to its end (a bad sector, a lost network drive), and for
    a file that holds more or less than it said: one that is being written, or one that the system makes up (`/proc`).
    """
    with opened(path, links=links) as (handle, size):
        read = 0
        while True:
            try:
                piece = os.read(handle, CHUNK)
            except OSError as error:
                raise Refused(f"cannot be read to its end ({_why(error)}); copy it to another disk") from error
            read += len(piece)
            if read > size or (not piece and read < size):
                raise Refused(
                    f"does not contain the {size:,} bytes that it declares; try again when nothing writes to it"
                )
            if not piece:
                return
            yield piece


def head(path: Path | str, count: int) -> bytes:
    """The first `count` bytes of a regular file, or all of a shorter one.

    Raises `Refused` as `opened` does, and for a file that opens but cannot be read.
    """
    with opened(path) as (handle, _):
        try:
            return os.read(handle, count)
        except OSError as error:
            raise Refused(f"cannot be read ({_why(error)}); copy it to another disk") from error


def read_file(path: Path | str, most: int, *, links: bool = True) -> bytes:
    """The bytes of a regular file of at most `most` bytes.

    Raises `Refused` as `chunks` does, and for a larger file; its text continues the file's name.
    """
    parts: list[bytes] = []
    read = 0
    for piece in chunks(path, links=links):
        read += len(piece)
        if read > most:
            raise Refused(f"is larger than {size_text(most)}; provide a smaller file")
        parts.append(piece)
    return b"".join(parts)


def named_file(path: Path | str, most: int, name: str | None = None) -> bytes:
    """`read_file` for a file that a person named and nothing else can replace: `name` (or the path) begins the line.

    Raises `InputError`.
    """
    try:
        return read_file(path, most)
    except Refused as refused:
        raise InputError(f"{name or path} {refused}") from refused


def size_text(count: int) -> str:
    """A number of bytes for people: `50 MiB`, `1,024 bytes`."""
    for unit, width in (("GiB", 2**30), ("MiB", 2**20)):
        if count >= width:
            return f"{count / width:.4g} {unit}"
    return f"{count:,} bytes"


def _check(there: os.stat_result) -> None:
    if stat.S_ISLNK(there.st_mode):
        raise Refused("is a link, and links are not followed; provide the file itself")
    if stat.S_ISDIR(there.st_mode):
        raise Refused("is a folder; provide a file")
    if not stat.S_ISREG(there.st_mode):
        raise Refused("is not a regular file; provide the file itself")


def _why(error: OSError | ValueError) -> str:
    return (isinstance(error, OSError) and error.strerror) or "its name is not a valid path on this system"
