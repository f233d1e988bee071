"""From the bytes of an image file to upright 8-bit RGB pixels, their id and their perceptual hash.

Pixels are taken as they are coded: an embedded colour profile is dropped, not applied, because that is how images
reach a vision-language model in practice (and a profile is one more thing from outside to interpret).
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, UnidentifiedImageError
from pillow_heif import register_heif_opener

from core.datasets.bounds import Refused, size_text
from core.datasets.dicom import first_frame, is_dicom
from core.datasets.identity import content_id
from core.datasets.pillow import open_whole
from core.datasets.png import png_of
from core.datasets.unreadable import form, is_deep, refuse_preview, refuse_unused_bits
from core.settings import Limits

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF", "HEIF")  # by Pillow's names
DICOM = "DICOM"
HASH_BITS = 64

_MARKS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# Of files made of boxes: AVIF, and what HEIC calls itself.
_BRANDS = (b"avif", b"avis", b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")
# In a JPEG, whatever stands before it: a segment's mark, and the end of a scan, which is neither data nor a restart.
_SEGMENT = re.compile(rb"\xff([^\xff\x00])", re.DOTALL)
_SCAN_END = re.compile(rb"\xff[^\xff\x00\xd0-\xd7]", re.DOTALL)
_WITHOUT_LENGTH = (0x01, *range(0xD0, 0xD8))
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9

_FRAMES = 20  # that are looked at
_USED_BITS = (8, 10, 12, 14)  # of cameras, scanners and detectors, stored in 16
_ORIENTATION = 0x0112
_BITS_PER_SAMPLE = 258
_PHOTOMETRIC = 262
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class Decoded:
    """An image's pixels and what identifies them."""

    id: str
    format: str
    image: Image.Image
    pixels: bytes  # 8-bit RGB, row by row
    perceptual: int | None
    remarks: tuple[str, ...] = ()  # how it was read where there was a choice; each continues the file's name

    def png(self) -> bytes:
        """A PNG file of the pixels alone; equal pixels give equal bytes."""
        return png_of(self.image.size, self.pixels)


def decode(data: bytes, limits: Limits, count: Callable[[int], None] | None = None) -> Decoded:
    """The image in `data`: upright, 8-bit RGB, transparency on white.

    Of several frames the first is taken, or the first that is not of one colour, if there is one among the first
    `_FRAMES`. Grey values of 16 bits are scaled from the bits that they use. `remarks` states both.

    The format is told from the content; the file's name plays no part. `count` is told the number of pixels before they
    are decoded, and may refuse them. Raises `Refused` for what is no image, damaged, truncated or outside the limits.
    A hostile file may take any time and memory, or end the process: `core.datasets.opening` runs this in a child.
    """
    if not data:
        raise Refused("is empty (0 bytes); export it again")
    register_heif_opener()
    try:
        if is_dicom(data):
            return _decoded_dicom(data, limits, count)
        with open_whole(io.BytesIO(data), FORMATS) as image:
            _check_size(image.size, limits)
            _check_plausible(image, data, limits)
            if count is not None:
                count(image.width * image.height)
            # A phone's JPEG with an embedded second image calls itself MPO; its first frame is an ordinary JPEG.
            name = "JPEG" if image.format == "MPO" else str(image.format)
            remarks: list[str] = []
            refuse_preview(image, data)
            deep = is_deep(image)
            _choose_frame(image, name, remarks)
            if deep:
                refuse_unused_bits(image)
            # A HEIC file is turned by its decoder, whatever its metadata says.
            turned = 1 if name == "HEIF" else image.getexif().get(_ORIENTATION, 1)
            pixels = _upright(_rgb(image, remarks), turned)
    except (Refused, MemoryError):
        raise
    except UnidentifiedImageError:
        raise Refused(form(data)) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Refused("would decode to a decompression bomb; provide a smaller image") from None
    except Exception as error:  # A decoder may fail in any way on damaged or hostile bytes: the file is refused.
        if "truncated" in str(error).lower():
            raise Refused("is truncated: the end of the file is missing; copy or export it again") from error
        raise Refused(f"is damaged and cannot be decoded ({type(error).__name__}); export it again") from error
    return _decoded(name, pixels, remarks)


def _decoded_dicom(data: bytes, limits: Limits, count: Callable[[int], None] | None) -> Decoded:
    def check(size: tuple[int, int]) -> None:
        _check_size(size, limits)
        if count is not None:
            count(size[0] * size[1])

    remarks: list[str] = []
    return _decoded(DICOM, first_frame(data, check, remarks), remarks)


def _decoded(name: str, pixels: Image.Image, remarks: list[str]) -> Decoded:
    content = pixels.tobytes()
    key = content_id(pixels.size, content)
    return Decoded(key, name, pixels, content, difference_hash(pixels), tuple(remarks))


def is_image(data: bytes) -> bool:
    """Whether `data` starts like an image in one of the accepted formats; says nothing of the rest."""
    # A bitmap's mark is two letters, with which a table may begin; but no text has these four zeros.
    bitmap = data.startswith(b"BM") and data[6:10] == bytes(4)
    boxed = data[4:8] == b"ftyp" and data[8:12] in _BRANDS
    return (
        bitmap
        or boxed
        or is_dicom(data)
        or data.startswith(_MARKS)
        or (data.startswith(b"RIFF") and data[8:12] == b"WEBP")
    )


def difference_hash(image: Image.Image) -> int | None:
    """The 64-bit difference hash of an image: for 8 x 8 places, whether it gets brighter to the right.

    None for an image of one brightness, which has no differences: all such images would look alike.
    """
    grid = np.asarray(image.convert("L").resize((9, 8), Image.Resampling.BOX), dtype=np.int16)
    if int(grid.max() - grid.min()) <= 2:
        return None
    return int.from_bytes(np.packbits(grid[:, 1:] > grid[:, :-1]).tobytes(), "big")


def _check_size(size: tuple[int, int], limits: Limits) -> None:
    width, height = size
    short, long = min(size), max(size)
    # Pillow only warns between its own bound and twice that; here its bound is as hard as ours.
    pixels = min(limits.pixels, Image.MAX_IMAGE_PIXELS or limits.pixels)
    if short < limits.min_side:
        raise Refused(f"has {width} x {height} pixels; each side needs at least {limits.min_side}")
    if long > limits.side:
        raise Refused(
            f"has {width} x {height} pixels; each side may have at most {limits.side}, so provide a smaller copy"
        )
    if width * height > pixels:
        raise Refused(f"has {width * height:,} pixels; at most {pixels:,} are accepted, so provide a smaller copy")
    if long > limits.aspect * short:
        raise Refused(f"is {long / short:.3g} times as long as wide; at most {limits.aspect:g} is accepted, so crop it")


def _check_plausible(image: Image.Image, data: bytes, limits: Limits) -> None:
    """Refuse what costs far more than a file of this size can be worth, before a pixel is decoded."""
    jpeg = image.format in ("JPEG", "MPO")
    pixels = image.width * image.height
    most = limits.jpeg_pixels_per_byte if jpeg else limits.pixels_per_byte
    if pixels > limits.plain_pixels and pixels > most * len(data):
        raise Refused(
            f"declares {pixels:,} pixels in {size_text(len(data))}, which cannot contain them; export it again"
        )
    if jpeg and scans(data, limits.scans + 1) > limits.scans:
        raise Refused(f"has more than {limits.scans:,} scans, each a pass over the image; save it as a baseline JPEG")


def scans(data: bytes, most: int) -> int:
    """How many scans a JPEG file holds, counted up to `most`."""
    found, place = 0, 2
    while found < most and (mark := _SEGMENT.search(data, place)) is not None:
        kind, place = mark[1][0], mark.end()
        if kind == _END_OF_IMAGE:
            break
        if kind not in _WITHOUT_LENGTH:
            place += int.from_bytes(data[place : place + 2], "big")
        if kind == _START_OF_SCAN:
            found += 1
            end = _SCAN_END.search(data, place)
            place = len(data) if end is None else end.start()
    return found


def _choose_frame(image: Image.Image, name: str, remarks: list[str]) -> None:
    """Loads the frame to take."""
    image.load()
    frames = int(getattr(image, "n_frames", 1))
    # The second image inside a phone's JPEG is a depth map or a preview, not a frame.
    if frames < 2 or name == "JPEG":
        return
    if name == "HEIF":
        remarks.append(f"contains {frames:,} images, of which the main one was read")
        return
    chosen = next((number for number in range(min(frames, _FRAMES)) if not _is_plain(image, number)), 0)
    image.seek(chosen)
    image.load()
    if chosen:
        what = f"frame {chosen + 1} was read, because those before it have one colour only"
    else:
        what = "the first was read"
    remarks.append(f"has {frames:,} frames, of which {what}")


def _is_plain(image: Image.Image, frame: int) -> bool:
    image.seek(frame)
    extrema = image.convert("RGBA").getextrema()
    return all(isinstance(part, tuple) and part[0] == part[1] for part in extrema)


def _rgb(image: Image.Image, remarks: list[str]) -> Image.Image:
    """8-bit RGB from any mode Pillow may give for the accepted formats."""
    if image.mode.startswith("I;16"):
        return _from_16_bit(image, remarks)
    if image.mode in ("I", "F"):
        raise Refused("contains 32-bit values, for which no white level is defined; save it with 8 or 16 bits")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        white = Image.new("RGB", layer.size, "white")
        white.paste(layer.convert("RGB"), mask=layer.getchannel("A"))
        return white
    return image if image.mode == "RGB" else image.convert("RGB")


def _from_16_bit(image: Image.Image, remarks: list[str]) -> Image.Image:
    """Grey values scaled to 0 to 255 from the bits of the file that they use: 16, or fewer if the largest fits."""
    tags = getattr(image, "tag_v2", {})
    values = np.asarray(image).astype(np.float32)
    stated = int(tags.get(_BITS_PER_SAMPLE, (16,))[0])
    largest = int(values.max(initial=0))
    bits = next((bits for bits in _USED_BITS if largest < 2**bits and bits < stated), stated)
    if bits < stated and largest:
        remarks.append(
            f"states {stated} bits and uses {bits} of them (largest value {largest:,}); it was scaled from {bits} bits"
        )
    white = 2**bits - 1
    grey = np.rint(values * (255 / white)).clip(0, 255).astype(np.uint8)
    if tags.get(_PHOTOMETRIC) == 0:  # TIFF's "white is zero", which Pillow undoes for 8 bits only.
        grey = 255 - grey
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        grey[values == transparent] = 255
    return Image.fromarray(grey).convert("RGB")


def _upright(image: Image.Image, orientation: object) -> Image.Image:
    step = _UPRIGHT.get(orientation) if isinstance(orientation, int) else None
    return image if step is None else image.transpose(step)
