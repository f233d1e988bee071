"""Images that lie, bomb, loop or break off."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from PIL import Image
from pillow_heif import register_heif_opener

from tests.hostile.item import REFUSED, TAKEN, Item, item, writes

register_heif_opener()
SIDE = 7744  # squared: just below 60 megapixels
Made = Callable[[], bytes]


def items() -> Iterator[Item]:
    """Every image of the corpus, each carried to the intake beside a good one."""
    for name, (ending, make, expect, heavy) in {**_jpeg(), **_gif_and_webp(), **_png(), **_bmp()}.items():
        file = f"{name}.{ending}"
        yield item(f"images/{name}", "ingest", file, writes(file, make), *expect, heavy=heavy)
    for kind in ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "HEIF"):
        for share in (0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98):
            file = f"cut-{kind.lower()}-{share}.{kind.lower()}"
            # The last bytes of some formats carry nothing that is needed.
            yield item(f"images/{file}", "ingest", file, writes(file, partial(cut, kind, share)), REFUSED, TAKEN)


def coded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The bytes of an image file."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def noise(width: int = 64, height: int = 64, seed: int = 0) -> Image.Image:
    """An image of random pixels."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def cut(kind: str, share: float) -> bytes:
    """The first part of a sound file."""
    data = coded(noise(), kind)
    return data[: int(len(data) * share)]


# -- JPEG --------------------------------------------------------------------------------------------------------


def segment(marker: int, body: bytes) -> bytes:
    """One marker segment of a JPEG."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def scans(count: int, side: int = SIDE, marker: bytes = b"\xff\xda") -> bytes:
    """A progressive JPEG of one grey component whose every scan says in a few bytes that nothing changes."""
    frame = segment(0xC2, struct.pack(">BHHBBBB", 8, side, side, 1, 1, 0x11, 0))
    # One code of one bit: the end of a band that runs over up to 32,767 blocks.
    codes = segment(0xC4, bytes([0x10, 1] + [0] * 15 + [0xE0]))
    blocks = -((-side // 8) ** 2) if side % 8 else (side // 8) ** 2
    bits = "".join("0" + "1" * 14 for _ in range(abs(blocks) // 32767 + 1))
    bits += "1" * (-len(bits) % 8)
    body = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\x00")
    scan = marker + struct.pack(">HBBBBBB", 8, 1, 1, 0x10, 1, 1, 0) + body
    tables = segment(0xDB, bytes([0] + [1] * 64))
    return b"\xff\xd8" + tables + frame + codes + scan * count + b"\xff\xd9"


def resized(data: bytes, width: int, height: int) -> bytes:
    """A JPEG whose header claims another size than its data has."""
    for marker in (b"\xff\xc0", b"\xff\xc2"):
        start = data.find(marker)
        if start >= 0:
            return data[: start + 5] + struct.pack(">HH", height, width) + data[start + 9 :]
    raise ValueError("no frame header")


def with_segments(*segments: bytes) -> bytes:
    """A sound JPEG with more segments behind its start."""
    data = coded(noise(), "JPEG")
    return data[:2] + b"".join(segments) + data[2:]


def _jpeg() -> dict[str, tuple[str, Made, tuple[str, ...], bool]]:
    plain = partial(coded, noise(), "JPEG")
    progressive = partial(coded, noise(), "JPEG", progressive=True)
    exif = Image.Exif()
    made: dict[str, tuple[Made, tuple[str, ...], bool]] = {
        "scans-10-small": (partial(scans, 10, 256), (TAKEN, REFUSED), False),
        "scans-1001-small": (partial(scans, 1001, 64), (REFUSED,), False),
        "scans-150": (partial(scans, 150), (REFUSED, TAKEN), True),
        "scans-1000": (partial(scans, 1000), (REFUSED, TAKEN), False),
        "scans-20000": (partial(scans, 20_000), (REFUSED,), False),
        "scans-400000": (partial(scans, 400_000), (REFUSED,), True),
        # Fill bytes before a marker are allowed: a count that looks for FF DA alone still has to see every scan.
        "scans-filled-markers": (partial(scans, 5000, SIDE, b"\xff\xff\xff\xda"), (REFUSED,), False),
        "header-lie-60-megapixels": (lambda: resized(plain(), SIDE, SIDE), (REFUSED,), False),
        "header-lie-progressive": (lambda: resized(progressive(), SIDE, SIDE), (REFUSED,), False),
        "header-lie-65500": (lambda: resized(plain(), 65500, 65500), (REFUSED,), False),
        "header-lie-wide": (lambda: resized(plain(), 16000, 1000), (REFUSED,), False),
        "header-lie-twice-as-high": (lambda: resized(plain(), 64, 128), (REFUSED, TAKEN), False),
        "header-no-height": (lambda: resized(plain(), 64, 0), (REFUSED,), False),
        "comments-10000": (lambda: with_segments(segment(0xFE, b"x" * 50) * 10_000), (TAKEN, REFUSED), False),
        "tables-20000": (
            lambda: with_segments(segment(0xDB, bytes([0] + [1] * 64)) * 20_000),
            (TAKEN, REFUSED),
            False,
        ),
        "icc-parts-255": (
            lambda: with_segments(
                *(segment(0xE2, b"ICC_PROFILE\0" + bytes([n, 255]) + b"p" * 60_000) for n in range(1, 256))
            ),
            (TAKEN, REFUSED),
            False,
        ),
        "exif-junk": (lambda: with_segments(segment(0xE1, b"Exif\0\0" + b"\xff" * 60_000)), (TAKEN, REFUSED), False),
        "exif-loop": (
            lambda: with_segments(
                segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0\x01\0\x69\x87\x04\0\x01\0\0\0\x08\0\0\0\x08\0\0\0")
            ),
            (TAKEN, REFUSED),
            False,
        ),
        "exif-count": (
            lambda: with_segments(
                segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\xff\xff\xff\x7f\x08\0\0\0\x00\0\0\0")
            ),
            (TAKEN, REFUSED),
            False,
        ),
        "second-image-out-of-range": (
            lambda: with_segments(segment(0xE2, b"MPF\0II*\0\x08\0\0\0\x01\0\x01\xb0\x04\0\x01\0\0\0\xff\xff\xff\x7f")),
            (TAKEN, REFUSED),
            False,
        ),
        "two-frames": (
            lambda: plain().replace(b"\xff\xda", segment(0xC0, b"\x08\0\x40\0\x40\x01\x01\x11\0") + b"\xff\xda", 1),
            (REFUSED, TAKEN),
            False,
        ),
        "arithmetic": (lambda: plain().replace(b"\xff\xc0", b"\xff\xc9", 1), (REFUSED, TAKEN), False),
        "lossless": (lambda: plain().replace(b"\xff\xc0", b"\xff\xc3", 1), (REFUSED,), False),
        "only-start": (lambda: b"\xff\xd8\xff", (REFUSED,), False),
        "then-archive": (lambda: plain() + b"PK\x03\x04" + b"\0" * 200, (TAKEN, REFUSED), False),
        "then-20-megabytes": (lambda: plain() + b"\xff\xda" * 10_000_000, (TAKEN, REFUSED), False),
    }
    for orientation in (0, 9, 65535):
        exif[0x0112] = orientation
        data = coded(noise(), "JPEG", exif=exif)
        made[f"orientation-{orientation}"] = (partial(bytes, data), (TAKEN,), False)
    return {f"jpeg-{name}": ("jpg", *rest) for name, rest in made.items()}


# -- GIF, WebP ---------------------------------------------------------------------------------------------------


def small_gif(colour: int = 0, side: int = SIDE, frames: int = 1) -> bytes:
    """A GIF of 45 bytes whose canvas is as large as it says; another `colour` gives other pixels."""
    palette = struct.pack(">I", colour)[1:] + bytes(3)
    frame = b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02D\x01\x00"
    return b"GIF89a" + struct.pack("<HHBBB", side, side, 0x80, 0, 0) + palette + frame * frames + b";"


def _gif_and_webp() -> dict[str, tuple[str, Made, tuple[str, ...], bool]]:
    def riff(body: bytes, length: int | None = None) -> bytes:
        return b"RIFF" + struct.pack("<I", len(body) if length is None else length) + body

    extended = b"WEBPVP8X" + struct.pack("<IB3x", 10, 0)
    sound = partial(coded, noise(), "WEBP")
    frames = [noise(32, 32, seed) for seed in range(40)]
    return {
        "gif-60-megapixels": ("gif", small_gif, (REFUSED, TAKEN), False),
        "gif-65535": ("gif", partial(small_gif, 0, 65535), (REFUSED,), False),
        "gif-100000-frames": ("gif", partial(small_gif, 0, 64, 100_000), (REFUSED, TAKEN), False),
        "gif-no-data": ("gif", lambda: small_gif()[:19] + b";", (REFUSED,), False),
        "gif-extensions": (
            "gif",
            lambda: small_gif(0, 64)[:19] + b"!\xfe\x01x\0" * 200_000 + small_gif(0, 64)[19:],
            (REFUSED, TAKEN),
            False,
        ),
        "webp-noise": ("webp", partial(webp_noise, 3000), (TAKEN, REFUSED), True),
        "webp-60-megapixels": ("webp", partial(webp_flat, SIDE), (TAKEN, REFUSED), True),
        "webp-canvas-lie": ("webp", lambda: riff(extended + b"\xff\xff\xff" * 2), (REFUSED,), False),
        "webp-length-lie": ("webp", lambda: riff(sound()[8:], 2**32 - 1), (REFUSED, TAKEN), False),
        "webp-length-zero": ("webp", lambda: riff(sound()[8:], 0), (REFUSED, TAKEN), False),
        "webp-frames": (
            "webp",
            partial(coded, frames[0], "WEBP", save_all=True, append_images=frames[1:]),
            (TAKEN,),
            False,
        ),
        "webp-only-head": ("webp", lambda: b"RIFF\x04\0\0\0WEBP", (REFUSED,), False),
    }


def webp_noise(side: int, seed: int = 0) -> bytes:
    """A WebP that is many times larger as a PNG."""
    return coded(noise(side, side, seed), "WEBP", quality=1)


def webp_flat(side: int) -> bytes:
    """A WebP of one colour."""
    return coded(Image.new("RGB", (side, side), "navy"), "WEBP", quality=1)


# -- PNG ---------------------------------------------------------------------------------------------------------


def chunk(name: bytes, body: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, *, bits: int = 8, colour: int = 2, interlace: int = 0, data: bytes | None = None,
        before: bytes = b"", after: bytes = b"", end: bool = True) -> bytes:  # fmt: skip
    """A PNG of zeros, with chunks before and after its data."""
    if data is None:
        channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
        data = zeros(height * (1 + -(-width * bits * channels // 8)))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlace))
    last = chunk(b"IEND", b"") if end else b""
    return b"\x89PNG\r\n\x1a\n" + head + before + chunk(b"IDAT", data) + after + last


def zeros(count: int) -> bytes:
    """So many zeros, packed, without ever holding them."""
    packer = zlib.compressobj(9)
    parts = [packer.compress(bytes(min(2**20, count - start))) for start in range(0, count, 2**20)]
    return b"".join(parts) + packer.flush()


def _png() -> dict[str, tuple[str, Made, tuple[str, ...], bool]]:
    packed = b"k\0\0"
    text = b"k\0\x01\0\0\0"
    made: dict[str, tuple[Made, tuple[str, ...], bool]] = {
        "ztxt-200-megabytes": (lambda: png(64, 64, before=chunk(b"zTXt", packed + zeros(200_000_000))), (), False),
        "ztxt-200-times": (lambda: png(64, 64, before=chunk(b"zTXt", packed + zeros(1_000_000)) * 200), (), False),
        "itxt-200-megabytes": (lambda: png(64, 64, before=chunk(b"iTXt", text + zeros(200_000_000))), (), False),
        "iccp-200-megabytes": (lambda: png(64, 64, before=chunk(b"iCCP", packed + zeros(200_000_000))), (), False),
        "ztxt-behind": (lambda: png(64, 64, after=chunk(b"zTXt", packed + zeros(200_000_000))), (), False),
        "too-much-data": (lambda: png(64, 64, data=zeros(1_000_000_000)), (REFUSED, TAKEN), True),
        "60-megapixels": (partial(png, SIDE, SIDE), (REFUSED, TAKEN), True),
        "60-megapixels-1-bit": (partial(png, SIDE, SIDE, bits=1, colour=0), (REFUSED, TAKEN), True),
        "60-megapixels-no-data": (lambda: png(SIDE, SIDE, data=b""), (REFUSED,), False),
        "60-megapixels-64-rows": (lambda: png(SIDE, SIDE, data=zeros(64 * (1 + 3 * SIDE))), (REFUSED,), False),
        "60-megapixels-16-bits-interlaced": (
            lambda: png(SIDE, SIDE, bits=16, colour=6, interlace=1, data=zeros(480_000_000)),
            (REFUSED, TAKEN),
            True,
        ),
        "60-megapixels-64-rows-of-noise": (
            lambda: png(SIDE, SIDE, data=zlib.compress(np.random.default_rng(0).bytes(64 * (1 + 3 * SIDE)), 1)),
            (),
            False,
        ),
        "side-2-to-31": (lambda: png(2**31 - 1, 2**31 - 1, data=b"x"), (REFUSED,), False),
        "side-2-to-32": (lambda: png(2**32 - 1, 2**32 - 1, data=b"x"), (REFUSED,), False),
        "side-zero": (lambda: png(0, 0, data=b"x"), (REFUSED,), False),
        "one-row": (lambda: png(20_000, 1), (REFUSED,), False),
        "interlace-2": (lambda: png(64, 64, interlace=2), (REFUSED, TAKEN), False),
        "bits-255": (lambda: png(64, 64, bits=255, data=b"x"), (REFUSED,), False),
        "no-palette": (lambda: png(64, 64, colour=3), (REFUSED, TAKEN), False),
        "palette-too-long": (lambda: png(64, 64, colour=3, before=chunk(b"PLTE", b"p" * 3000)), (), False),
        "chunk-length-lie": (lambda: png(64, 64)[:33] + b"\xff\xff\xff\xffIDAT" + b"x" * 40, (REFUSED,), False),
        "chunks-300000": (lambda: png(64, 64, before=chunk(b"prVt", b"") * 300_000), (), False),
        "data-by-the-byte": (lambda: _in_pieces(png(64, 64)), (), False),
        "no-end": (lambda: png(64, 64, end=False), (REFUSED, TAKEN), False),
        "wrong-checksum": (lambda: png(64, 64)[:-20] + b"abcd" + png(64, 64)[-16:], (REFUSED, TAKEN), False),
        "frames-2-to-31": (lambda: png(64, 64, before=chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0))), (), False),
        "frames-claimed-50000": (
            lambda: png(64, 64, before=chunk(b"acTL", struct.pack(">II", 50_000, 0)), after=_frames(50_000)),
            (),
            False,
        ),
        "exif-junk": (lambda: png(64, 64, before=chunk(b"eXIf", b"II*\0" + b"\xff" * 50_000)), (), False),
        "transparency-too-long": (lambda: png(64, 64, before=chunk(b"tRNS", b"t" * 5000)), (), False),
        "then-page": (lambda: png(64, 64) + b"<script>alert(1)</script>", (TAKEN,), False),
    }
    return {
        f"png-{name}": ("png", make, expect or (TAKEN, REFUSED), heavy) for name, (make, expect, heavy) in made.items()
    }


def _frames(count: int) -> bytes:
    control = struct.pack(">IIIIHHBB", 64, 64, 0, 0, 1, 100, 0, 0)
    return b"".join(chunk(b"fcTL", struct.pack(">I", number) + control) for number in range(count))


def _in_pieces(data: bytes) -> bytes:
    start = data.index(b"IDAT") - 4
    length = struct.unpack(">I", data[start : start + 4])[0]
    body = data[start + 8 : start + 8 + length]
    return data[:start] + b"".join(chunk(b"IDAT", body[n : n + 1]) for n in range(length)) + data[start + 12 + length :]


# -- BMP ---------------------------------------------------------------------------------------------------------


def bmp(width: int = 64, height: int = 64, *, bits: int = 24, packing: int = 0, colours: int = 0, offset: int = 54,
        head: int = 40, data: bytes | None = None) -> bytes:  # fmt: skip
    """A BMP whose header says what it is told to."""
    body = b"\x10" * (64 * 64 * 3) if data is None else data
    info = struct.pack("<IiiHHIIiiII", head, width, height, 1, bits, packing, 0, 2835, 2835, colours, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(body), 0, 0, offset) + info + body


def _bmp() -> dict[str, tuple[str, Made, tuple[str, ...], bool]]:
    made: dict[str, Made] = {
        "60-megapixels-of-12-kilobytes": partial(bmp, SIDE, SIDE),
        "upside-down": partial(bmp, 64, -64),
        "negative-width": partial(bmp, -64, 64),
        "lowest-height": partial(bmp, 64, -(2**31)),
        "zero-bits": partial(bmp, bits=0),
        "bits-65535": partial(bmp, bits=65535),
        "packed-as-jpeg": partial(bmp, packing=4),
        "packing-unknown": partial(bmp, packing=99),
        "colours-2-to-31": partial(bmp, bits=8, colours=2**31 - 1),
        "offset-2-to-32": partial(bmp, offset=2**32 - 1),
        "offset-zero": partial(bmp, offset=0),
        "head-2-to-31": partial(bmp, head=2**31 - 1),
        "head-12": partial(bmp, head=12),
        "runs-bomb": partial(bmp, SIDE, SIDE, bits=8, packing=1, data=b"\xff\x01" * 5000),
        "runs-skip": partial(bmp, SIDE, SIDE, bits=8, packing=1, data=b"\0\x02\xff\xff" * 5000),
        "runs-no-end": partial(bmp, bits=8, packing=1, data=b"\0\xff"),
    }
    return {f"bmp-{name}": ("bmp", make, (REFUSED, TAKEN), False) for name, make in made.items()}
