"""A file that holds other files, read in places: by a path, or by an open stream."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

from core.datasets.bounds import CHUNK, Refused, size_text
from core.errors import first_line
from core.sandbox import files
from core.settings import Limits


class Inside(NamedTuple):
    """One file inside: its name as the holder writes it, and its bytes, or why it is refused."""

    name: str
    chunks: Callable[[], Iterator[bytes]]
    refused: str = ""


@dataclass(frozen=True)
class Holder:
    """The file. A child process opens a path itself; the content of a stream is handed to it."""

    source: Path | BinaryIO

    def head(self, count: int) -> bytes:
        """Its first bytes. Raises `Refused` if they cannot be read."""
        return b"".join(self.chunks(0, count, whole=False))

    def chunks(self, offset: int, size: int, *, whole: bool = True) -> Iterator[bytes]:
        """`size` bytes from a place on. Raises `Refused` if they cannot be read, or if some of `whole` are missing."""
        left = size
        try:
            if isinstance(self.source, Path):
                with files.opened(self.source) as (handle, _):
                    while left and (piece := os.pread(handle, min(left, CHUNK), offset + size - left)):
                        left -= len(piece)
                        yield piece
            else:
                self.source.seek(offset)
                while left and (piece := self.source.read(min(left, CHUNK))):
                    left -= len(piece)
                    yield piece
        except (OSError, ValueError, OverflowError) as error:
            raise Refused(f"cannot be read to its end ({first_line(error)[:200]}); provide it again") from error
        if left and whole:
            raise Refused("is cut off: the end of the file is missing; copy it again")

    def given(self, limits: Limits) -> tuple[str | None, bytes]:
        """What a task gets: the path, or the whole content of a stream, which must be as small as a single file."""
        if isinstance(self.source, Path):
            return os.path.abspath(self.source), b""
        size = self.source.seek(0, io.SEEK_END)
        if size > limits.file_bytes:
            raise Refused(f"is larger than {size_text(limits.file_bytes)}; save it to a file and provide its path")
        return None, b"".join(self.chunks(0, size))


def stream_of(data: bytes, path: str | None) -> BinaryIO:
    """In a child: the holder that a task was given."""
    return io.BytesIO(data) if path is None else open(path, "rb")
