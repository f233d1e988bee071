"""Reading ZIP files from strangers: nothing is extracted to disk, no declared size is believed."""

from __future__ import annotations

import io
import stat
import zipfile
import zlib
from collections.abc import Iterator
from types import TracebackType
from typing import BinaryIO, Self

from core.datasets.bounds import CHUNK, Refused, size_text
from core.datasets.names import clean_name
from core.settings import Limits

_ENCRYPTED = 0x1
_DIRECTORY_BYTES = 512  # a member's entry in the table of contents takes 46 bytes, its name and some extra fields


class Archive:
    """An open ZIP file: `members()` lists what may be read. Use it as a context manager.

    Raises `Refused` if it is damaged, or if it is larger than everything that may be given together.
    """

    def __init__(self, stream: BinaryIO, limits: Limits) -> None:
        self.limits = limits
        self.size = stream.seek(0, io.SEEK_END)
        self.unpacked = 0
        if self.size > limits.total_bytes:
            raise Refused(f"is larger than {size_text(limits.total_bytes)}; split it")
        # The table of contents is read in one piece, before its entries can be counted; a hostile one may be huge.
        bound = max(2**17, limits.files * _DIRECTORY_BYTES)
        try:
            self._zip = zipfile.ZipFile(_BoundedReads(stream, bound))
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError, IndexError) as error:
            raise Refused("is a damaged ZIP; pack it again") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()

    def members(self) -> Iterator[Member]:
        """Every entry but folders, in the archive's order; also those that will be refused when they are read."""
        return (Member(self, info) for info in self._zip.infolist() if not info.filename.endswith("/"))

    def stream(self, info: zipfile.ZipInfo) -> Iterator[bytes]:
        """An entry's unpacked bytes in chunks, checksum verified. Raises `Refused` at the first sign of trouble."""
        self._check(info)
        packed = max(1, info.compress_size)
        unpacked = 0
        try:
            with self._zip.open(info) as stream:
                while chunk := stream.read(CHUNK):
                    unpacked += len(chunk)
                    self.unpacked += len(chunk)
                    if unpacked > self.limits.zip_ratio * packed:
                        raise Refused(
                            f"unpacks to more than {self.limits.zip_ratio:g} times its size; give it unpacked"
                        )
                    # The packed size is a claim too, and entries may overlap, each with a modest ratio of its own.
                    if self.unpacked > self.limits.zip_ratio * self.size:
                        raise Refused(
                            f"takes its ZIP above {self.limits.zip_ratio:g} times its own size; give it unpacked"
                        )
                    yield chunk
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, NotImplementedError) as error:
            raise Refused("is damaged inside the ZIP (its checksum or size is wrong); pack it again") from error

    def _check(self, info: zipfile.ZipInfo) -> None:
        if info.flag_bits & _ENCRYPTED:
            raise Refused("is encrypted; unpack the ZIP with its password and give the pictures")
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind == stat.S_IFLNK:
            raise Refused("is a link, and links are not followed; pack the file itself")
        if kind not in (0, stat.S_IFREG):
            raise Refused("is not a regular file; pack pictures")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise Refused("is packed with an unusual method; pack it as an ordinary ZIP")


class Member:
    """One entry of an archive."""

    def __init__(self, archive: Archive, info: zipfile.ZipInfo) -> None:
        self.name = clean_name(info.filename)
        self._archive = archive
        self._info = info

    def chunks(self) -> Iterator[bytes]:
        """Its unpacked bytes; see `Archive.stream`."""
        return self._archive.stream(self._info)


class _BoundedReads:
    """A file of which no single read may take more than `bound` bytes."""

    def __init__(self, stream: BinaryIO, bound: int) -> None:
        self._stream = stream
        self._bound = bound
        self.seek = stream.seek
        self.tell = stream.tell
        self.seekable = stream.seekable

    def read(self, size: int = -1) -> bytes:
        most = self._bound + 1
        data = self._stream.read(min(size, most) if size >= 0 else most)
        if len(data) > self._bound:
            raise Refused("lists more files than are accepted; split it")
        return data


def is_zip(stream: BinaryIO) -> bool:
    """Whether the stream starts like a ZIP file; leaves it at its start."""
    stream.seek(0)
    head = stream.read(4)
    stream.seek(0)
    return head in (b"PK\x03\x04", b"PK\x05\x06")
