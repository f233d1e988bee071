"""Decoding: formats, orientation, transparency, depth, colour; damaged and hostile files."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core.datasets.bounds import Refused
from core.datasets.image import FORMATS, decode, difference_hash, is_image
from core.settings import LIMITS, Limits
from tests.datasets.made import CORNERS, coded, corners, noise, scene


def quarters(image: Image.Image) -> list[tuple[int, ...]]:
    """The colours in the middle of the four quarters."""
    width, height = image.size
    pixels = np.asarray(image)
    return [tuple(int(v) for v in pixels[height * r // 4, width * c // 4]) for r in (1, 3) for c in (1, 3)]


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP"])
def test_lossless_formats_come_back_exactly(kind: str) -> None:
    image = noise()
    decoded = decode(coded(image, kind, **({"lossless": True} if kind == "WEBP" else {})), LIMITS)
    assert decoded.format == kind
    assert decoded.image.mode == "RGB"
    assert np.array_equal(np.asarray(decoded.image), np.asarray(image))


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "GIF", "AVIF", "HEIF"])
def test_lossy_formats_come_back_closely(kind: str) -> None:
    decoded = decode(coded(corners(), kind), LIMITS)
    assert decoded.format == kind
    assert np.abs(np.array(quarters(decoded.image)) - np.array(CORNERS)).max() <= 12
    # Companion: the same bound tells two corners apart.
    assert np.abs(np.array(quarters(decoded.image)) - np.array(CORNERS[::-1])).max() > 12


def test_every_accepted_format_is_tested_here() -> None:
    assert set(FORMATS) == {"PNG", "BMP", "TIFF", "WEBP", "JPEG", "GIF", "AVIF", "HEIF"}


def test_id_is_the_hash_of_size_and_pixels() -> None:
    image = noise()
    digest = hashlib.sha256(struct.pack(">II", *image.size) + image.tobytes()).hexdigest()
    assert decode(coded(image), LIMITS).id == digest[:16]
    assert decode(coded(image, "BMP"), LIMITS).id == digest[:16]
    # Companion: the same bytes in another shape are another image.
    other = Image.frombytes("RGB", image.size[::-1], image.tobytes())
    assert decode(coded(other), LIMITS).id != digest[:16]


# What each EXIF value says: which corner of the upright image each stored corner (reading order) is.
STORED = {
    1: (0, 1, 2, 3),
    2: (1, 0, 3, 2),
    3: (3, 2, 1, 0),
    4: (2, 3, 0, 1),
    5: (0, 2, 1, 3),
    6: (1, 3, 0, 2),
    7: (3, 1, 2, 0),
    8: (2, 0, 3, 1),
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(kind: str, orientation: int) -> None:
    upright = np.asarray(corners())
    half = (upright[:16, :24], upright[:16, 24:], upright[16:, :24], upright[16:, 24:])
    turned = orientation >= 5
    size = (24, 16, 3) if turned else (16, 24, 3)
    blocks = [np.broadcast_to(half[corner][0, 0], size) for corner in STORED[orientation]]
    stored = Image.fromarray(np.ascontiguousarray(np.vstack([np.hstack(blocks[:2]), np.hstack(blocks[2:])])))
    exif = Image.Exif()
    exif[0x0112] = orientation
    by_kind: dict[str, dict[str, Any]] = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"lossless": True}}
    options = by_kind.get(kind, {})
    image = decode(coded(stored, kind, exif=exif, **options), LIMITS).image
    assert image.size == (48, 32)
    assert np.abs(np.array(quarters(image)) - np.array(CORNERS)).max() <= 12
    # Companion: without the tag the stored order is seen, so the check above can fail.
    plain = decode(coded(stored, kind, **options), LIMITS).image
    assert (np.abs(np.array(quarters(plain)) - np.array(CORNERS)).max() <= 12) == (orientation == 1)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_put_on_white(mode: str) -> None:
    image = Image.new(mode, (32, 32), (0,) * len(mode))
    image.paste((0,) * (len(mode) - 1) + (255,), (0, 0, 16, 32))
    image.paste((0,) * (len(mode) - 1) + (128,), (0, 16, 16, 32))
    pixels = np.asarray(decode(coded(image), LIMITS).image)
    assert pixels[5, 5].tolist() == [0, 0, 0]
    assert pixels[5, 25].tolist() == [255, 255, 255]
    assert np.abs(pixels[25, 5].astype(int) - 127).max() <= 1


def test_palette_and_its_transparent_colour() -> None:
    image = corners().quantize(8)
    plain = decode(coded(image), LIMITS).image
    assert np.abs(np.array(quarters(plain)) - np.array(CORNERS)).max() <= 8
    see_through = coded(image, transparency=image.getpixel((2, 2)))
    assert quarters(decode(see_through, LIMITS).image)[0] == (255, 255, 255)
    assert quarters(decode(see_through, LIMITS).image)[1:] == quarters(plain)[1:]


def test_transparent_colour_of_rgb() -> None:
    pixels = quarters(decode(coded(corners(), transparency=CORNERS[1]), LIMITS).image)
    assert pixels == [CORNERS[0], (255, 255, 255), CORNERS[2], CORNERS[3]]


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_is_scaled_not_clipped(kind: str) -> None:
    values = np.linspace(0, 65535, 32 * 32).round().astype(np.uint16).reshape(32, 32)
    pixels = np.asarray(decode(coded(Image.fromarray(values), kind), LIMITS).image)
    expected = np.rint(values.astype(np.float64) / 257).astype(np.uint8)
    assert np.array_equal(pixels, np.stack([expected] * 3, axis=-1))
    # Companion: clipping would leave nearly everything white.
    assert not np.array_equal(pixels[..., 0], values.clip(0, 255).astype(np.uint8))


def test_transparent_value_of_16_bits() -> None:
    values = np.tile(np.array([0, 20000, 30000, 65535], dtype=np.uint16), (32, 8))
    pixels = np.asarray(decode(coded(Image.fromarray(values), transparency=20000), LIMITS).image)
    assert pixels[0, :4, 0].tolist() == [0, 255, 117, 255]


def test_16_bit_big_endian_and_white_is_zero() -> None:
    values = np.tile(np.array([0, 20000, 65535, 0], dtype=np.uint16), (32, 8))
    data = coded(Image.fromarray(values), "TIFF", tiffinfo={262: 0})
    assert np.asarray(decode(data, LIMITS).image)[0, :3, 0].tolist() == [255, 255 - 78, 0]
    big = bytearray(b"MM\x00\x2a" + struct.pack(">I", 8))
    tags = [(256, 32), (257, 32), (258, 16), (259, 1), (262, 1), (273, 8 + 2 + 9 * 12 + 4), (277, 1), (278, 32)]
    tags.append((279, 2 * 32 * 32))
    big += struct.pack(">H", len(tags))
    for tag, value in tags:
        big += struct.pack(">HHII", tag, 4, 1, value)
    big += struct.pack(">I", 0) + values.astype(">u2").tobytes()
    assert np.asarray(decode(bytes(big), LIMITS).image)[0, :3, 0].tolist() == [0, 78, 255]


def test_32_bit_is_refused() -> None:
    with pytest.raises(Refused, match="32-bit"):
        decode(coded(Image.new("F", (32, 32), 0.5), "TIFF"), LIMITS)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk(kind: str) -> None:
    image = Image.new("CMYK", (32, 32), (255, 0, 0, 0))  # cyan ink: no red
    image.paste((0, 0, 0, 255), (16, 0, 32, 32))  # black ink
    pixels = np.asarray(decode(coded(image, kind), LIMITS).image).astype(int)
    assert np.abs(pixels[16, 4] - [0, 255, 255]).max() <= 6
    assert np.abs(pixels[16, 28] - [0, 0, 0]).max() <= 6


@pytest.mark.parametrize("mode", ["1", "L"])
def test_grey_modes(mode: str) -> None:
    image = Image.new(mode, (32, 32), 255)
    assert decode(coded(image), LIMITS).image.getpixel((3, 3)) == (255, 255, 255)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF"])
def test_first_frame(kind: str) -> None:
    first, second = Image.new("RGB", (32, 32), CORNERS[0]), Image.new("RGB", (32, 32), CORNERS[2])
    for frames in ([first, second], [second, first]):
        options = {"lossless": True} if kind == "WEBP" else {}
        data = coded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
        assert decode(data, LIMITS).image.getpixel((3, 3)) == frames[0].getpixel((3, 3))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "TIFF", "GIF", "WEBP"])
def test_truncated(kind: str) -> None:
    data = coded(noise(width=120, height=100), kind)
    decode(data, LIMITS)
    with pytest.raises(Refused, match=r"truncated|damaged|no image"):
        decode(data[: len(data) // 2], LIMITS)


def test_truncated_is_called_so() -> None:
    data = coded(noise(width=120, height=100), "JPEG")
    with pytest.raises(Refused, match="is truncated: the end of the file is missing"):
        decode(data[:-300], LIMITS)


def test_corrupt_pixels() -> None:
    data = bytearray(coded(noise()))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(Refused, match="damaged"):
        decode(bytes(data), LIMITS)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"\xfe\xfe\xfe", "not an image that can be read"),
        (b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"\x00\x00\x00\x18ftypisom\x00\x00\x00\x00", "video"),
    ],
)
def test_not_a_image(data: bytes, reason: str) -> None:
    assert not is_image(data)
    with pytest.raises(Refused, match=reason):
        decode(data, LIMITS)


@pytest.mark.parametrize(
    ("limits", "good", "bad", "reason"),
    [
        (Limits(min_side=20), (20, 30), (19, 30), "each side needs at least 20"),
        (Limits(side=60), (60, 30), (61, 30), "each side may have at most 60"),
        (Limits(pixels=1200), (40, 30), (40, 31), "at most 1,200 are accepted"),
        (Limits(aspect=3.0), (90, 30), (30, 91), "at most 3 is accepted"),
    ],
)
def test_size_limits(limits: Limits, good: tuple[int, int], bad: tuple[int, int], reason: str) -> None:
    decode(coded(noise(0, *good)), limits)
    with pytest.raises(Refused, match=reason):
        decode(coded(noise(0, *bad)), limits)


def test_a_huge_declared_size_is_refused_before_decoding() -> None:
    header = bytearray(coded(noise())[:33])
    header[16:24] = struct.pack(">II", 19_000, 19_000)
    header[29:33] = struct.pack(">I", zlib.crc32(bytes(header[12:29])))
    with pytest.raises(Refused, match=r"361,000,000 pixels|decompression bomb"):
        decode(bytes(header) + struct.pack(">I", 1000) + b"IDAT" + bytes(1000), LIMITS)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("bound", [1000, 600])  # for 1,280 pixels Pillow itself only warns at 1,000, and fails at 600
def test_pillows_own_bound_is_hard(monkeypatch: pytest.MonkeyPatch, bound: int) -> None:
    data = coded(noise(0, 40, 32))
    decode(data, LIMITS)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", bound)
    with pytest.raises(Refused, match=r"at most 1,000 are accepted|decompression bomb"):
        decode(data, LIMITS)


def test_saved_file_holds_pixels_only() -> None:
    exif = Image.Exif()
    exif[0x010E] = "a secret place"
    data = coded(corners(), "JPEG", exif=exif, icc_profile=b"profile" * 30, comment=b"secret too", dpi=(300, 300))
    assert b"secret" in data
    stored = decode(data, LIMITS).png()
    assert [stored[place - 4 : place] for place in (16, stored.index(b"IDAT") + 4)] == [b"IHDR", b"IDAT"]
    assert stored.index(b"IDAT") == 37 and b"secret" not in stored and b"profile" not in stored
    with Image.open(io.BytesIO(stored)) as again:
        assert again.info == {} and again.tobytes() == decode(data, LIMITS).pixels


def test_difference_hash() -> None:
    first = difference_hash(scene(1))
    assert first is not None
    smaller = difference_hash(scene(1).resize((60, 45)))
    other = difference_hash(scene(2))
    assert smaller is not None and other is not None
    assert (first ^ smaller).bit_count() <= 4 < (first ^ other).bit_count()
    # Rising brightness sets every bit, falling none.
    ramp = Image.fromarray(np.tile(np.arange(0, 180, 2, dtype=np.uint8), (64, 1)))
    assert difference_hash(ramp.convert("RGB")) == 2**64 - 1
    assert difference_hash(ramp.transpose(Image.Transpose.FLIP_LEFT_RIGHT).convert("RGB")) == 0


def test_a_plain_image_has_no_difference_hash() -> None:
    assert difference_hash(Image.new("RGB", (32, 32), CORNERS[0])) is None


def frames(*images: Image.Image, kind: str = "GIF") -> bytes:
    stream = io.BytesIO()
    images[0].save(stream, kind, save_all=True, append_images=images[1:], duration=100)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF", "AVIF"])
def test_of_several_frames_the_first_that_shows_something_is_read(kind: str) -> None:
    white, scene_, other = Image.new("RGB", (64, 48), "white"), corners().resize((64, 48)), noise(3).resize((64, 48))
    decoded = decode(frames(white, white.copy().point(lambda v: v - 5), scene_, other, kind=kind), LIMITS)
    assert decoded.remarks == ("has 4 frames, of which frame 3 was read, because those before it have one colour only",)
    assert np.abs(np.array(quarters(decoded.image)) - np.array(CORNERS)).max() <= 30
    # Companions: the first frame is read if it shows something, or if none does.
    assert decode(frames(scene_, white, kind=kind), LIMITS).remarks == ("has 2 frames, of which the first was read",)
    blank = decode(frames(white, white.copy().point(lambda v: v - 5), kind=kind), LIMITS)
    assert blank.remarks == ("has 2 frames, of which the first was read",)
    assert decode(frames(scene_, kind=kind), LIMITS).remarks == ()


@pytest.mark.parametrize(("largest", "bits"), [(200, 8), (1000, 10), (4080, 12), (16000, 14), (16384, 16), (65535, 16)])
def test_grey_values_are_scaled_from_the_bits_that_they_use(largest: int, bits: int) -> None:
    values = np.linspace(0, largest, 64 * 48).reshape(48, 64).astype(np.uint16)
    stream = io.BytesIO()
    Image.fromarray(values).save(stream, "PNG")
    decoded = decode(stream.getvalue(), LIMITS)
    expected = np.rint(values.astype(np.float64) * 255 / (2**bits - 1))
    assert np.abs(np.asarray(decoded.image)[..., 0] - expected).max() <= 1
    assert decoded.remarks == (
        () if bits == 16 else (f"states 16 bits and uses {bits} of them (largest value {largest:,}); "
                               f"it was scaled from {bits} bits",)
    )  # fmt: skip
    # Companion: the same bound tells the next larger range apart.
    assert np.abs(np.asarray(decoded.image)[..., 0] - expected / 2).max() > 1
