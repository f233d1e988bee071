"""How much one intake may read, and how a single file is turned away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from core.errors import InputError, Refused, first_line
from core.sandbox.files import size_text
from core.settings import Limits

__all__ = ["CHUNK", "Budget", "Refused", "is_archive", "size_text", "stream_chunks"]

CHUNK = 2**16

# How files start that unpack to more than they seem: ZIP (and all formats made of it), RAR, 7z, gzip, bzip2, xz, zstd.
_ARCHIVES = tuple(
    bytes.fromhex(magic)
    for magic in ("504b0304", "504b0506", "52617221", "377abcaf271c", "1f8b", "425a68", "fd377a585a", "28b52ffd")
)


class Budget:
    """Counts what one intake really takes: what a header declares may be wrong on purpose."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.bytes = 0
        self.files = 0
        self.packed = 0
        self.pixels = 0
        self.stored = 0
        self.lost = 0.0
        self.tables = 0

    def count_file(self, *, packed: bool = False) -> None:
        """One more file was found, `packed` in another one. Raises `InputError` above a limit: nothing is kept."""
        self.files += 1
        self.packed += packed
        if self.files > self.limits.files:
            raise InputError(f"more than {self.limits.files:,} files were submitted; split them into several datasets")
        if self.packed > self.limits.packed_files:
            most = self.limits.packed_files
            raise InputError(f"the archives contain more than {most:,} files; provide them as a folder")

    def check(self) -> None:
        """Raises `Refused` if no further file may be opened."""
        if self.lost > self.limits.lost_seconds:
            raise Refused(
                f"was not opened: refused files have already taken more than {self.limits.lost_seconds:g} s of "
                "processor time; import it without them"
            )
        self.count_stored(0)

    def count_stored(self, count: int) -> None:
        """So many more bytes are about to be stored. Raises `Refused` above the limit, and from then on."""
        self.stored += count
        if self.stored > self.limits.total_stored_bytes:
            raise Refused(
                f"brings the import above {size_text(self.limits.total_stored_bytes)} of stored images; import it "
                "separately"
            )

    def count_bytes(self, count: int) -> None:
        """So many more bytes were read. Raises `InputError` above the limit: then nothing is taken in."""
        self.bytes += count
        if self.bytes > self.limits.total_bytes:
            total = size_text(self.limits.total_bytes)
            raise InputError(f"the files contain more than {total} in total; split them into several datasets")

    def count_pixels(self, count: int) -> None:
        """An image of so many pixels is about to be taken. Raises `Refused` above the limit."""
        if self.pixels + count > self.limits.total_pixels:
            most = self.limits.total_pixels
            raise Refused(f"brings the import above {most:,} pixels in total; import it separately")
        self.pixels += count

    def count_table(self) -> None:
        """One more table was found. Raises `Refused` above the limit."""
        self.tables += 1
        if self.tables > self.limits.tables:
            raise Refused(f"is one table too many: at most {self.limits.tables:,} are accepted; join them")

    def read(self, chunks: Iterator[bytes], *, packed: bool = False) -> bytes:
        """One file's bytes. `packed`: it may be a workbook, which is an archive inside.

        Raises `Refused` if it is too large or another archive, `InputError` if all together are too large.
        """
        parts: list[bytes] = []
        size = 0
        for chunk in chunks:
            if not parts and not packed and is_archive(chunk):
                raise Refused("is an archive inside another file, or not a ZIP file; unpack it and provide the images")
            size += len(chunk)
            self.count_bytes(len(chunk))
            if size > self.limits.file_bytes:
                raise Refused(f"is larger than {size_text(self.limits.file_bytes)}; provide a smaller file")
            parts.append(chunk)
        return b"".join(parts)


def stream_chunks(stream: BinaryIO) -> Iterator[bytes]:
    """A stream from its start in chunks of at most 64 KiB. Raises `Refused` if it cannot be read."""
    try:
        stream.seek(0)
        while chunk := stream.read(CHUNK):
            yield chunk
    except (OSError, ValueError) as error:
        raise Refused(f"cannot be read to its end ({first_line(error)[:200]}); provide it again") from error


def is_archive(head: bytes) -> bool:
    """Whether a file that starts with `head` (262 bytes are enough) is an archive or a compressed file."""
    return head.startswith(_ARCHIVES) or head[257:262] == b"ustar"
