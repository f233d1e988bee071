"""Reading ZIP files from strangers: nothing is extracted to disk, nothing in them is interpreted in this process."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from core.datasets.bounds import CHUNK, Refused, size_text
from core.datasets.names import clean_name
from core.datasets.opening import open_archive
from core.datasets.packing import LOCAL_HEADER, Packed, Room, check, lengths, most_tail
from core.errors import first_line
from core.settings import Limits


class Archive:
    """A ZIP file: `members` may be read. `unpacked` counts what was taken of it so far, in bytes.

    Raises `Refused` if it is damaged, or if it is larger than everything that may be given together.
    """

    def __init__(self, stream: BinaryIO, limits: Limits) -> None:
        self.limits = limits
        self.unpacked = 0
        self._stream = stream
        try:
            self.size = stream.seek(0, io.SEEK_END)
        except (OSError, ValueError) as error:
            raise Refused(f"cannot be read ({first_line(error)[:200]}); provide it again") from error
        if self.size > limits.total_bytes:
            raise Refused(f"is larger than {size_text(limits.total_bytes)}; split it")
        start = max(0, self.size - most_tail(limits))
        found = open_archive(self.bytes_at(start, self.size - start), self.size, limits)
        # Every entry but folders, in the archive's order; also those that will be refused when they are read.
        self.members = [Member(self, entry) for entry in found]

    def bytes_at(self, start: int, count: int) -> bytes:
        """Up to `count` bytes from a place in the archive. Raises `Refused` if they cannot be read."""
        try:
            self._stream.seek(start)
            return b"".join(self._pieces(count))
        except (OSError, ValueError, OverflowError) as error:
            raise Refused(f"cannot be read to its end ({first_line(error)[:200]}); provide it again") from error

    def _pieces(self, count: int) -> Iterator[bytes]:
        while count > 0 and (piece := self._stream.read(min(count, CHUNK))):
            count -= len(piece)
            yield piece


@dataclass(frozen=True)
class Member:
    """One entry of an archive."""

    archive: Archive
    entry: Packed

    @property
    def name(self) -> str:
        """Its clean name."""
        return clean_name(self.entry.name)

    @property
    def room(self) -> Room:
        """How far it may unpack."""
        return Room(self.archive.size, self.archive.unpacked)

    def count(self, unpacked: int) -> None:
        """So many bytes were unpacked of it. Raises `Refused` if they are more than its archive is good for."""
        try:
            self.room.check(unpacked, self.archive.limits)
        finally:
            self.archive.unpacked += unpacked

    def read(self) -> bytes:
        """Its bytes as they are packed, its own header first. Raises `Refused` if they cannot be read."""
        check(self.entry)
        # What deflate adds to bytes that it cannot shrink is far less than this.
        most = self.archive.limits.file_bytes + 2**20
        if self.entry.packed > most and self.archive.size > most:
            raise Refused(f"is larger than {size_text(self.archive.limits.file_bytes)}; provide a smaller file")
        header = self.archive.bytes_at(self.entry.offset, LOCAL_HEADER)
        return self.archive.bytes_at(self.entry.offset, LOCAL_HEADER + sum(lengths(header)) + self.entry.packed)


def is_zip(stream: BinaryIO) -> bool:
    """Whether the stream starts like a ZIP file; leaves it at its start. Raises `Refused` if it cannot be read."""
    try:
        stream.seek(0)
        head = stream.read(4)
        stream.seek(0)
    except (OSError, ValueError) as error:
        raise Refused(f"cannot be read ({first_line(error)[:200]}); provide it again") from error
    return head in (b"PK\x03\x04", b"PK\x05\x06")
