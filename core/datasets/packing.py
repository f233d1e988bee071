"""ZIP files from strangers, as a child process reads them: no declared size is believed."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from core.datasets.bounds import CHUNK, Refused
from core.datasets.encoding import EAST_ASIAN, code_page_of_names
from core.settings import Limits

LOCAL_HEADER = 30  # bytes before an entry's name
_ENCRYPTED, _UTF8, _PATCH, _STRONG = 0x1, 0x800, 0x20, 0x40
_DIRECTORY_BYTES = 512  # a member's entry in the table of contents takes 46 bytes, its name and some extra fields
_END_BYTES = 2**17  # the end of a ZIP with its comment, and the larger end of a large one
_NAMED_BYTES = 2**16  # of names by which a code page is recognised
_FIELD = struct.Struct("<HH")
_UNICODE_PATH = 0x7075  # of the extra field in which a packer without UTF-8 names writes the name once more
_DAMAGED = "is damaged inside the ZIP file (its checksum or size is wrong); pack it again"


class Packed(NamedTuple):
    """What the table of contents says of a member."""

    name: str
    written: str  # the name as its bytes read by the rule of the format, UTF-8 only with the flag
    offset: int
    packed: int
    size: int
    method: int
    flags: int
    checksum: int
    attributes: int


@dataclass(frozen=True)
class Room:
    """How far a member may unpack: the archive's size, and what was unpacked of it before."""

    size: int
    unpacked: int

    def check(self, count: int, limits: Limits) -> None:
        """Raises `Refused` if `count` more bytes are too much."""
        # The packed size of a member is a claim too, and members may overlap, each with a modest ratio of its own.
        if self.unpacked + count > limits.zip_ratio * self.size:
            raise Refused(f"brings its ZIP file above {limits.zip_ratio:g} times its own size; provide it unpacked")


def most_contents(limits: Limits) -> int:
    """How many bytes a table of contents may take."""
    return max(2**17, limits.packed_files * _DIRECTORY_BYTES)


def most_tail(limits: Limits) -> int:
    """How many bytes of an archive's end are looked at for its table of contents."""
    return most_contents(limits) + _END_BYTES


def entries(tail: bytes, size: int, limits: Limits) -> list[Packed]:
    """Every entry but folders of the archive of `size` bytes that ends in `tail`, in its order.

    Raises `Refused` if it is damaged or lists too much.
    """
    try:
        with zipfile.ZipFile(_Tail(tail, size, most_contents(limits))) as archive:
            found = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError, IndexError, struct.error) as error:
        raise Refused("is a damaged ZIP file; pack it again") from error
    code_page = _code_page(found)
    return [
        Packed(
            _name(entry, code_page), entry.orig_filename, entry.header_offset, entry.compress_size, entry.file_size,
            entry.compress_type, entry.flag_bits, entry.CRC, entry.external_attr,
        )
        for entry in found
        if not entry.filename.endswith("/")
    ]  # fmt: skip


def read_by_code_page(entry: Packed) -> bool:
    """Whether a member's name states no encoding and was read by a code page, so that it may be meant otherwise."""
    if entry.flags & _UTF8 or entry.written.isascii():
        return False
    raw = entry.written.encode("cp437", errors="replace")
    pages = (raw.decode(page, errors="replace") for page in EAST_ASIAN)
    return not _is_utf8(raw) and entry.name in (entry.written, *map(_path, pages))


def _code_page(found: list[zipfile.ZipInfo]) -> str:
    """The code page of the names that are not UTF-8 and state nothing: a recognised one, else that of the format."""
    raw = [entry.orig_filename.encode("cp437") for entry in found if not entry.flag_bits & _UTF8]
    unknown = b"\n".join(name for name in raw if not _is_utf8(name))[:_NAMED_BYTES]
    return (code_page_of_names(unknown) if unknown else None) or "cp437"


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _name(entry: zipfile.ZipInfo, code_page: str) -> str:
    """A member's name: macOS and many libraries write UTF-8 without the flag that says so.

    Without it: UTF-8 if the bytes are, else the Unicode Path field if it belongs to this name, else `code_page`.
    """
    if entry.flag_bits & _UTF8:
        return entry.filename
    raw = entry.orig_filename.encode("cp437")
    if raw.isascii():
        return entry.filename
    if _is_utf8(raw):
        return _path(raw.decode("utf-8"))
    extra = entry.extra
    while len(extra) >= _FIELD.size:
        kind, size = _FIELD.unpack_from(extra)
        content, extra = extra[_FIELD.size : _FIELD.size + size], extra[_FIELD.size + size :]
        if kind == _UNICODE_PATH and content[:1] == b"\x01" and content[1:5] == zlib.crc32(raw).to_bytes(4, "little"):
            try:
                return _path(content[5:].decode("utf-8"))
            except UnicodeDecodeError:
                break
    return entry.filename if code_page == "cp437" else _path(raw.decode(code_page, errors="replace"))


def _path(name: str) -> str:
    """A name as the library leaves it: it ends before a NUL."""
    return name.partition("\0")[0]


def unpacked(data: bytes, entry: Packed, room: Room, limits: Limits) -> Iterator[bytes]:
    """A member's bytes in chunks, checksum verified; `data` begins with its own header.

    Raises `Refused` at the first sign of trouble.
    """
    check(entry)
    count = 0
    try:
        with zipfile.ZipExtFile(io.BytesIO(_body(data, entry)), "r", _info(entry)) as stream:
            while chunk := stream.read(CHUNK):
                count += len(chunk)
                if count > limits.zip_ratio * max(1, entry.packed):
                    raise Refused(f"unpacks to more than {limits.zip_ratio:g} times its size; provide it unpacked")
                room.check(count, limits)
                yield chunk
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, NotImplementedError) as error:
        raise Refused(_DAMAGED) from error


def check(entry: Packed) -> None:
    """Raises `Refused` for a member that is not worth reading: encrypted, no regular file, packed in an unusual way."""
    if entry.flags & _ENCRYPTED:
        raise Refused("is encrypted; unpack the ZIP file with its password and provide the images")
    kind = stat.S_IFMT(entry.attributes >> 16)
    if kind == stat.S_IFLNK:
        raise Refused("is a link, and links are not followed; pack the file itself")
    if kind not in (0, stat.S_IFREG):
        raise Refused("is not a regular file; pack images only")
    if entry.method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise Refused("uses an unsupported compression method; pack it as an ordinary ZIP file")


def _body(data: bytes, entry: Packed) -> bytes:
    """What follows a member's own header, which must agree with the table of contents."""
    name, extra = lengths(data)
    flags = int.from_bytes(data[6:8], "little")
    start = LOCAL_HEADER + name
    written = data[LOCAL_HEADER:start].decode("utf-8" if flags & _UTF8 else "cp437")
    if not data.startswith(b"PK\x03\x04") or written != entry.written or entry.flags & (_PATCH | _STRONG):
        raise zipfile.BadZipFile("the header of a member and the table of contents differ")
    return data[start + extra :]


def lengths(header: bytes) -> tuple[int, int]:
    """How long the name and the extra fields are that follow a member's own header."""
    return int.from_bytes(header[26:28], "little"), int.from_bytes(header[28:30], "little")


def _info(entry: Packed) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("member")
    info.compress_type, info.flag_bits, info.CRC = entry.method, entry.flags, entry.checksum
    info.compress_size, info.file_size = entry.packed, entry.size
    return info


class _Tail(io.RawIOBase):
    """A file of which only the end is there, and of which no single read may take more than `bound` bytes."""

    def __init__(self, tail: bytes, size: int, bound: int) -> None:
        self._tail = tail
        self._size = size
        self._bound = bound
        self._place = 0

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        if place < 0:
            raise OSError("a position before the start of the file")
        self._place = place
        return place

    def read(self, size: int = -1) -> bytes:
        end = self._size if size < 0 else min(self._place + size, self._size)
        start = self._place - (self._size - len(self._tail))
        if end - self._place > self._bound or (start < 0 and self._place < end):
            raise Refused("lists more files than are accepted; split it")
        data = self._tail[max(start, 0) : max(start, 0) + max(end - self._place, 0)]
        self._place += len(data)
        return data
