"""Why a file is refused that is not read as an image: the name of its form, and the way out."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from PIL import Image

from core.datasets.bounds import Refused, size_text
from core.datasets.encoding import is_legible

READABLE = "JPEG, PNG, WebP, BMP, TIFF, GIF, AVIF, HEIC or DICOM"

_EXPORT = "export it as JPEG or PNG"
_RAW = f"is a camera raw file; {_EXPORT}"
# How files begin, in the order in which they are asked for.
_STARTS = (
    (b"\xff\x0a", "a JPEG XL image"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL image"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 image"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 image"),
    (b"8BPS", "a Photoshop document"),
    (b"v/1\x01", "an OpenEXR image"),
    (b"#?RADIANCE", "a Radiance HDR image"),
    (b"\0\0\1\0", "an icon"),
    (b"qoif", "a QOI image"),
    (b"AT&TFORM", "a DjVu document"),
    (b"%PDF", "a PDF"),
    (b"%!PS", "a PostScript document"),
    (b"\x1aE\xdf\xa3", "a video"),
    (b"\xd0\xcf\x11\xe0", "an old Office document"),
    *((f"P{number}".encode() + blank, "a Netpbm image") for number in range(1, 8) for blank in (b"\n", b" ")),
)
_RAW_STARTS = (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"\0MRM", b"FOVb")
# Not images at all, but what people keep images in.
_HOLDERS = ((b"\x89HDF\r\n", "an HDF5 file"), (b"ARROW1\0\0", "an Arrow file"), (b"SQLite format 3\0", "a database"))
_TIFF = {b"II*\0": "<", b"MM\0*": ">"}
_NIFTI, _NIFTI_MARKS = slice(344, 348), (b"n+1\0", b"ni1\0")

_SUBFILE, _PHOTOMETRIC, _MAKE, _PARTS, _DNG_VERSION = 254, 262, 271, 330, 50706
_REDUCED = 1
_SENSOR = {32803, 34892}  # values of a sensor's colour filters, and what DNG calls LinearRaw
_ENTRY = 12  # bytes
_MOST_ENTRIES, _MOST_PARTS = 512, 16


def form(data: bytes) -> str:
    """What bytes are that no accepted decoder reads; the text continues the name of their file."""
    if data[4:12] == b"ftypcrx " or data.startswith(_RAW_STARTS) or _SENSOR & set(_photometrics(data)):
        return _RAW
    if data[4:8] == b"ftyp":
        return f"is a video, or a kind of HEIC or AVIF that cannot be read; {_EXPORT}"
    if data[:4] == b"RIFF" and data[8:12] == b"AVI ":
        return f"is a video, which is not read; {_EXPORT}"
    title = next((title for start, title in _STARTS if data.startswith(start)), None)
    if title is not None:
        return f"is {title}, which is not read; {_EXPORT}"
    holder = next((title for start, title in _HOLDERS if data.startswith(start)), None)
    if holder is not None:
        return f"is {holder}, which is not read; export its images as files, or as Parquet with a column of images"
    if data[_NIFTI] in _NIFTI_MARKS:
        return f"is a NIfTI volume, which is not read; {_EXPORT}, slice by slice"
    if b"<svg" in data[:1000].lower():
        return "is an SVG drawing; export it as PNG"
    if data[:4] in _TIFF:
        return "is a TIFF file that is damaged or of a kind that is not read; export it as PNG"
    if _is_text(data):
        return (
            "is not an image but text in a form that is not read; give tables as CSV, TSV, JSON Lines, Excel or Parquet"
        )
    return f"is not an image that can be read ({size_text(len(data))}); provide {READABLE}"


def refuse_preview(image: Image.Image, data: bytes) -> None:
    """Raises `Refused` for a TIFF file whose readable image is the preview of another one, as in camera raw files."""
    tags = getattr(image, "tag_v2", None)
    if image.format != "TIFF" or tags is None:
        return
    reduced = bool(int(tags.get(_SUBFILE, 0)) & _REDUCED)
    size = f"{image.width} x {image.height} pixels"
    raw = _DNG_VERSION in tags or data[8:10] == b"CR" or _SENSOR & set(_photometrics(data))
    if raw or (reduced and _MAKE in tags):
        raise Refused(f"is a camera raw file, of which only a preview of {size} can be read; {_EXPORT}")
    if reduced and int(getattr(image, "n_frames", 1)) == 1:
        raise Refused(f"contains only a reduced copy of its image ({size}); export the image itself")


def is_deep(image: Image.Image) -> bool:
    """Whether an image that is not loaded yet stores colours, or grey with transparency, in 16 bits."""
    modes = " ".join(str(part) for tile in getattr(image, "tile", ()) for part in tile[-1:])
    return ";16" in modes and image.mode in ("RGB", "RGBA", "RGBX", "LA")


def refuse_unused_bits(image: Image.Image) -> None:
    """Raises `Refused` for a loaded image of 16 bits that leaves its upper bits empty: only those were decoded."""
    extrema = image.getextrema()
    colours = extrema[:1] if image.mode == "LA" else extrema[:3]
    largest = max(int(part[1]) for part in colours if isinstance(part, tuple))
    bits = next((bits for bits in (8, 10, 12, 14) if (largest + 1) * 256 <= 2**bits), None)
    if bits is not None:
        raise Refused(
            f"states 16 bits for each colour and uses at most {bits} of them, so that it would be almost black; save "
            "it with 8 bits"
        )


def _photometrics(data: bytes) -> Iterator[int]:
    """What the first directory of a TIFF file and those inside it say that their values are."""
    order = _TIFF.get(data[:4])
    if order is None:
        return
    try:
        (first,) = struct.unpack_from(f"{order}I", data, 4)
        inner: list[int] = []
        yield from _directory(data, order, first, inner)
        for place in inner[:_MOST_PARTS]:
            yield from _directory(data, order, place, [])
    except struct.error:
        return


def _directory(data: bytes, order: str, place: int, inner: list[int]) -> Iterator[int]:
    (count,) = struct.unpack_from(f"{order}H", data, place)
    for number in range(min(count, _MOST_ENTRIES)):
        at = place + 2 + number * _ENTRY
        tag, _, parts, value = struct.unpack_from(f"{order}HHII", data, at)
        if tag == _PHOTOMETRIC:
            yield struct.unpack_from(f"{order}H", data, at + 8)[0]
        elif tag == _PARTS and parts == 1:
            inner.append(value)
        elif tag == _PARTS:
            inner += struct.unpack_from(f"{order}{min(parts, _MOST_PARTS)}I", data, value)


def _is_text(data: bytes) -> bool:
    try:
        # A character may be cut at the end of what is looked at.
        text = data[:4096].decode("utf-8", errors="strict" if len(data) <= 4096 else "ignore")
    except UnicodeDecodeError:
        return False
    return is_legible(text)
