"""Tables of boxes and label maps: cells that are no numbers, maps that bomb, break off or are of another kind."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

from tests.hostile.images import coded
from tests.hostile.item import ERROR, REFUSED, TAKEN, Item, item, writes

HEAD = b"path,phrase,x,y,w,h,image_width,image_height\n"
ROW = b"good.png,a phrase,1,2,3,4,64,64\n"


def items() -> Iterator[Item]:
    """Every table of boxes and every label map."""
    for name, (make, expect) in _boxes().items():
        yield item(f"boxes/{name}", "annotations", f"{name}.csv", writes(f"{name}.csv", make), *expect)
    for name, (make, expect) in _maps().items():
        yield item(f"label-maps/{name}", "label_map", f"{name}.png", writes(f"{name}.png", make), *expect)


def _boxes() -> dict[str, tuple[Callable[[], bytes], tuple[str, ...]]]:
    either, left_out = (ERROR, TAKEN), (REFUSED,)
    return {
        "sound": (lambda: HEAD + ROW, (TAKEN,)),
        "empty": (lambda: b"", (ERROR,)),
        "no-columns": (lambda: b"path,phrase\ngood.png,x\n", (ERROR,)),
        "rows-20000": (lambda: HEAD + ROW * 20_000, either),
        "digits-400": (lambda: HEAD + ROW.replace(b",3,", b"," + b"9" * 400 + b","), left_out),
        "infinite": (lambda: HEAD + ROW.replace(b",3,", b",1e999,"), left_out),
        "phrase-1000000": (lambda: HEAD + ROW.replace(b"a phrase", b"x" * 1_000_000), either),
        "size-billion": (lambda: HEAD + ROW.replace(b"64,64", b"1000000000,1000000000"), left_out),
        "paths-above": (lambda: HEAD + ROW.replace(b"good.png", b"../../good.png"), either),
        "direction-marks": (lambda: HEAD + ROW.replace(b"a phrase", "\u202eesarhp".encode()), either),
        "open-quote": (lambda: HEAD + b'"' + b"x" * 1_000_000, either),
    }


def _maps() -> dict[str, tuple[Callable[[], bytes], tuple[str, ...]]]:
    either = (ERROR, TAKEN)
    random = np.random.default_rng(0)
    every = np.arange(65_536, dtype=np.uint16).reshape(256, 256)
    grey = random.integers(0, 256, (64, 64), dtype=np.uint8)
    sound = coded(Image.fromarray(grey), "PNG")
    return {
        "sound": (lambda: sound, (TAKEN,)),
        "empty": (lambda: b"", (ERROR,)),
        "zeros": (lambda: coded(Image.new("L", (64, 64)), "PNG"), (ERROR,)),
        "colour": (lambda: coded(Image.new("RGB", (64, 64)), "PNG"), (ERROR,)),
        "jpeg": (lambda: coded(Image.new("L", (64, 64)), "JPEG"), (ERROR,)),
        "cut": (lambda: sound[: len(sound) // 2], (ERROR,)),
        "bomb": (lambda: _claimed(60_000, 60_000), (ERROR,)),
        "large-claim": (lambda: _claimed(7_000, 7_000), (ERROR,)),
        "noise-2000": (lambda: coded(Image.fromarray(random.integers(0, 2, (2000, 2000), np.uint8)), "PNG"), either),
        "numbers-65536": (lambda: coded(Image.fromarray(every), "PNG"), either),
    }  # fmt: skip


def _claimed(width: int, height: int) -> bytes:
    """A PNG file that claims a size and holds nothing of it."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
