"""TIFF files: a format of pointers, so that everything in it may point anywhere."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from tests.hostile.images import coded, noise, resized, zeros
from tests.hostile.item import REFUSED, TAKEN, Item, item, writes

SHORT, LONG, RATIONAL, UNDEFINED = 3, 4, 5, 7
_WIDTH, _HEIGHT, _BITS, _PACKING, _LIGHT, _OFFSETS = 256, 257, 258, 259, 262, 273
_SAMPLES, _ROWS, _COUNTS = 277, 278, 279
_START = 8192


def tiff(data: bytes = b"\x10" * (64 * 64), *, following: int = 0, more: dict[int, tuple[int, int, int]] | None = None,
         big: bool = False, **fields: Any) -> bytes:  # fmt: skip
    """A TIFF of one strip; `fields` change its entries, `more` adds others as (kind, count, value)."""
    told = {
        _WIDTH: fields.get("width", 64),
        _HEIGHT: fields.get("height", 64),
        _BITS: fields.get("bits", 8),
        _PACKING: fields.get("packing", 1),
        _LIGHT: fields.get("light", 1),
        _OFFSETS: fields.get("offset", _START),
        _SAMPLES: fields.get("samples", 1),
        _ROWS: fields.get("rows", 64),
        _COUNTS: fields.get("count", len(data)),
    }
    entries = {tag: (LONG, 1, value) for tag, value in told.items()} | (more or {})
    form = "<HHQQ" if big else "<HHII"
    head = b"II+\0\x08\0\0\0" + struct.pack("<Q", 16) if big else b"II*\0\x08\0\0\0"
    body = struct.pack("<Q" if big else "<H", len(entries))
    body += b"".join(struct.pack(form, tag, *entry) for tag, entry in sorted(entries.items()))
    body += struct.pack("<Q" if big else "<I", following)
    return (head + body).ljust(_START, b"\0") + data


def items() -> Iterator[Item]:
    """Every TIFF of the corpus."""
    for name, (make, expect) in _made().items():
        file = f"tiff-{name}.tif"
        yield item(f"images/tiff-{name}", "ingest", file, writes(file, make), *(expect or (REFUSED, TAKEN)))


def _made() -> dict[str, tuple[Callable[[], bytes], tuple[str, ...]]]:
    top = 2**32 - 1
    side = 7744
    inner = partial(coded, noise(), "JPEG")
    return {
        "sound": (tiff, (TAKEN,)),
        "directory-loop": (partial(tiff, following=8), ()),
        "directory-out-of-range": (partial(tiff, following=top), ()),
        "first-directory-out-of-range": (lambda: b"II*\0\xff\xff\xff\x7f" + b"\0" * 100, (REFUSED,)),
        "first-directory-zero": (lambda: b"II*\0\0\0\0\0" + b"\0" * 100, (REFUSED,)),
        "entries-65535": (lambda: b"II*\0\x08\0\0\0\xff\xff" + b"\0" * 60, (REFUSED,)),
        "entry-count-2-to-32": (partial(tiff, more={_BITS: (SHORT, top, 8)}), ()),
        "text-of-4-gigabytes": (partial(tiff, more={270: (2, top, 8)}), ()),
        "rationals-2-to-28": (partial(tiff, more={282: (RATIONAL, 2**28, 8)}), ()),
        "profile-2-to-31": (partial(tiff, more={34675: (UNDEFINED, 2**31, 8)}), ()),
        "exif-loop": (partial(tiff, more={34665: (LONG, 1, 8)}), ()),
        "inner-directory-loop": (partial(tiff, more={330: (13, 1, 8)}), ()),
        "strip-out-of-range": (partial(tiff, offset=top), ()),
        "strip-over-itself": (partial(tiff, offset=0), ()),
        "strip-count-2-to-32": (partial(tiff, count=top), ()),
        "strips-2-to-28": (partial(tiff, more={_OFFSETS: (LONG, 2**28, 8), _COUNTS: (LONG, 2**28, 8)}), ()),
        "rows-zero": (partial(tiff, rows=0), ()),
        "rows-2-to-32": (partial(tiff, rows=top), ()),
        "bits-65535": (partial(tiff, bits=65535), (REFUSED,)),
        "bits-zero": (partial(tiff, bits=0), (REFUSED, TAKEN)),
        "samples-65535": (partial(tiff, samples=65535), (REFUSED,)),
        "float": (partial(tiff, b"\0" * 64 * 64 * 4, bits=32, more={339: (SHORT, 1, 3)}), (REFUSED,)),
        "int-32": (partial(tiff, b"\0" * 64 * 64 * 4, bits=32), (REFUSED,)),
        "size-2-to-32": (partial(tiff, width=top, height=top), (REFUSED,)),
        "60-megapixels-of-4-kilobytes": (partial(tiff, width=side, height=side, rows=side), (REFUSED,)),
        "jpeg-inside": (lambda: tiff(inner(), packing=7, light=6, samples=3), ()),
        "jpeg-inside-header-lie": (
            lambda: tiff(
                resized(inner(), side, side), packing=7, light=6, samples=3, width=side, height=side, rows=side
            ),
            (),
        ),
        "old-jpeg": (lambda: tiff(inner(), packing=6, light=6, samples=3), ()),
        "deflate-bomb": (lambda: tiff(zeros(300_000_000), packing=8), ()),
        "deflate-60-megapixels": (
            lambda: tiff(zeros(side * side), packing=8, width=side, height=side, rows=side),
            (),
        ),
        "deflate-garbage": (lambda: tiff(zlib.compress(b"x" * 4096)[:-9] + b"\xff" * 9, packing=8), ()),
        "lzw-garbage": (partial(tiff, b"\xff" * 4000, packing=5), ()),
        "packbits-bomb": (partial(tiff, b"\x81\x10" * 500_000, packing=32773), ()),
        "fax-garbage": (partial(tiff, b"\x55" * 4000, packing=4, bits=1), ()),
        "packing-unknown": (partial(tiff, packing=65535), (REFUSED,)),
        "zstd": (partial(tiff, b"\x28\xb5\x2f\xfd" + b"\0" * 100, packing=50000), ()),
        "webp-inside": (lambda: tiff(coded(noise(), "WEBP"), packing=50001, samples=3, light=2), ()),
        "big": (partial(tiff, big=True), ()),
        "big-count-2-to-63": (partial(tiff, big=True, more={_BITS: (SHORT, 2**63, 8)}), ()),
        "big-strip-out-of-range": (partial(tiff, big=True, offset=2**63), ()),
        "planar-65535": (partial(tiff, more={284: (SHORT, 1, 65535)}), ()),
        "tile-zero": (partial(tiff, more={322: (LONG, 1, 0), 323: (LONG, 1, 0), 324: (LONG, 1, _START)}), ()),
        "tile-2-to-31": (
            partial(tiff, more={322: (LONG, 1, 2**31), 323: (LONG, 1, 2**31), 324: (LONG, 1, _START)}),
            (),
        ),
        "palette-missing": (partial(tiff, light=3), ()),
        "orientation-65535": (partial(tiff, more={274: (SHORT, 1, 65535)}), ()),
        "directories-20000": (_directories, ()),
    }


def _directories() -> bytes:
    """A sound image whose directory is followed by 20,000 more, each leading to the next."""
    data = tiff()
    start = len(data)
    chain = b"".join(struct.pack("<HI", 0, start + 6 * number) for number in range(1, 20_001))
    return tiff(following=start) + chain
