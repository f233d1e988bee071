"""Files that are no readable image are called by the name of their form; previews and empty bits are not audited."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core.datasets.bounds import Refused
from core.datasets.image import decode
from core.settings import LIMITS
from tests.datasets.made import coded, noise

PIXELS = np.asarray(noise(), dtype=np.uint16)
HEIGHT, WIDTH = PIXELS.shape[:2]
LETTERS = {1: "B", 2: "s", 3: "H", 4: "I"}


def directory(order: str, tags: dict[int, tuple[int, Any]], place: int, after: bytes = b"") -> bytes:
    """A directory of a TIFF file at `place`, with `after` behind it; no value needs more than 4 bytes."""
    lines = []
    for tag, (kind, value) in sorted(tags.items()):
        values = value if isinstance(value, tuple) else (value,)
        body = struct.pack(f"{order}{len(values)}{LETTERS[kind]}", *values) if kind != 2 else value
        lines.append(
            struct.pack(f"{order}HHI", tag, kind, len(body) if kind == 2 else len(values)) + body.ljust(4, b"\0")
        )
    return struct.pack(f"{order}H", len(lines)) + b"".join(lines) + bytes(4) + after


def tiff(order: str = "<", inner: int | None = None, photometric: int = 2, **more: tuple[int, Any]) -> bytes:
    """A small RGB image as a TIFF file, with more tags (t271=...) and a directory inside of this photometric."""
    strip = np.asarray(noise(), dtype=np.uint8).tobytes()
    tags: dict[int, tuple[int, Any]] = {
        256: (4, WIDTH), 257: (4, HEIGHT), 259: (3, 1), 262: (3, photometric), 273: (4, 0), 277: (3, 3),
        278: (4, HEIGHT), 279: (4, len(strip)), **{int(name[1:]): value for name, value in more.items()},
    }  # fmt: skip
    if inner is not None:
        tags[330] = (4, 0)
    # BitsPerSample lies behind the directory, as its three values are longer than 4 bytes.
    first = 8
    behind = first + 2 + 12 * (len(tags) + 1) + 4
    tags[273] = (4, behind + 6)
    second = behind + 6 + len(strip)
    if inner is not None:
        tags[330] = (4, second)
    tags[258] = (3, 8)
    body = directory(order, tags, first)
    place = body.index(struct.pack(f"{order}HHI", 258, 3, 1))
    body = body[:place] + struct.pack(f"{order}HHII", 258, 3, 3, behind) + body[place + 12 :]
    mark = b"II*\0" if order == "<" else b"MM\0*"
    whole = mark + struct.pack(f"{order}I", first) + body + struct.pack(f"{order}3H", 8, 8, 8) + strip
    return whole + (directory(order, {262: (3, inner)}, second) if inner is not None else b"")


RAW = "is a camera raw file, of which only a preview of"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (tiff(t50706=(1, (1, 4, 0, 0))), RAW),
        (tiff(">", t254=(4, 1), t271=(2, b"Nik")), RAW),
        (tiff("<", 32803), RAW),
        (tiff(">", 34892), RAW),
        (tiff(photometric=32803), "is a camera raw file; export it as JPEG or PNG"),
        (tiff(t254=(4, 1)), "contains only a reduced copy of its image"),
    ],
)
def test_the_preview_of_a_camera_raw_file_is_not_taken_for_the_image(data: bytes, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        decode(data, LIMITS)


@pytest.mark.parametrize("data", [tiff(), tiff(">"), tiff("<", 2), tiff(t271=(2, b"Nik")), tiff(t254=(4, 0))])
def test_other_tiff_files_are_read(data: bytes) -> None:
    """A scanner names its maker, and a pyramid holds smaller copies of its image."""
    assert np.array_equal(np.asarray(decode(data, LIMITS).image), np.asarray(noise()))


def test_a_canon_file_is_known_by_its_mark() -> None:
    data = tiff(t254=(4, 0))
    # Its directory begins behind the mark.
    moved = data[:4] + struct.pack("<I", len(data)) + b"CR\2\0" + data[12:] + data[8:]
    with pytest.raises(Refused, match="camera raw"):
        decode(moved, LIMITS)


def cut(data: bytes) -> list[bytes]:
    return [data[:size] for size in range(8, len(data), max(1, len(data) // 40))]


@pytest.mark.parametrize("data", [*cut(tiff("<", 32803)), b"II*\0" + struct.pack("<I", 4), b"MM\0*" + b"\xff" * 40])
def test_a_damaged_one_is_refused_too(data: bytes) -> None:
    with pytest.raises(Refused):
        decode(data, LIMITS)


@pytest.mark.parametrize(
    ("data", "title"),
    [
        (b"FUJIFILMCCD-RAW 0201", "a camera raw file"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1", "a camera raw file"),
        (b"IIRO\x08\0", "a camera raw file"),
        (b"\xff\x0a\xfa\x1f", "a JPEG XL image"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 image"),
        (b"8BPS\0\1", "a Photoshop document"),
        (b"v/1\x01\2\0", "an OpenEXR image"),
        (b"RIFF\x10\0\0\0AVI LIST", "a video"),
        (b"\x1aE\xdf\xa3\x93", "a video"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
        (b"ARROW1\0\0\xff", "an Arrow file"),
        (b"SQLite format 3\0", "a database"),
        (bytes(344) + b"n+1\0", "a NIfTI volume"),
        (b"%PDF-1.7\n", "a PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "a PostScript document"),
        (coded(noise(), "PPM"), "a Netpbm image"),
        (b"cat.jpg: a cat\n", "not an image but text in a form that is not read"),
        ("ein Wort mit \u00e4".encode() * 999, "not an image but text"),
    ],
)
def test_a_form_is_refused_by_its_name(data: bytes, title: str) -> None:
    with pytest.raises(Refused, match=f"^is {title}"):
        decode(data, LIMITS)


def png(values: np.ndarray, colour: int) -> bytes:
    """A PNG file of 16-bit values."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def opaque(colours: np.ndarray) -> np.ndarray:
    return np.concatenate([colours, np.full_like(colours[..., :1], 65535)], axis=-1)


FORMS: list[Callable[[np.ndarray], bytes]] = [
    lambda colours: png(colours, 2),
    lambda colours: png(opaque(colours), 6),
    lambda colours: png(opaque(colours[..., :1]), 4),
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("bits", "factor"), [(8, 1), (10, 4), (12, 16), (14, 64)])
def test_colours_that_leave_their_upper_bits_empty_are_refused(
    form: Callable[[np.ndarray], bytes], bits: int, factor: int
) -> None:
    with pytest.raises(Refused, match=f"states 16 bits for each colour and uses at most {bits} of them"):
        decode(form(PIXELS * factor), LIMITS)


@pytest.mark.parametrize("form", FORMS)
def test_colours_that_use_their_16_bits_are_read(form: Callable[[np.ndarray], bytes]) -> None:
    found = np.asarray(decode(form(PIXELS * 257), LIMITS).image)
    expected = np.asarray(noise())
    assert np.array_equal(
        found, expected if found.ndim == 3 and form is not FORMS[2] else expected[..., :1].repeat(3, -1)
    )


def test_a_dark_image_of_8_bits_is_an_image() -> None:
    dark = Image.fromarray(np.asarray(noise()) // 32)
    assert np.array_equal(np.asarray(decode(coded(dark), LIMITS).image), np.asarray(dark))
