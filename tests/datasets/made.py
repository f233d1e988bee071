"""Images, ZIP files and folders that the tests of data sets are made of."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

CORNERS = (
    (200, 30, 30),
    (30, 160, 60),
    (40, 60, 200),
    (230, 200, 40),
)  # top left, top right, bottom left, bottom right


def noise(seed: int = 0, width: int = 40, height: int = 32) -> Image.Image:
    """An image like no other seed's."""
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


def scene(seed: int = 0, width: int = 120, height: int = 90) -> Image.Image:
    """A smooth image, as photographs are: 8 x 8 random colours, enlarged."""
    return noise(seed, 8, 8).resize((width, height), Image.Resampling.BICUBIC)


def corners(width: int = 48, height: int = 32) -> Image.Image:
    """Four quarters in the colours of `CORNERS`."""
    image = Image.new("RGB", (width, height))
    for number, colour in enumerate(CORNERS):
        column, row = number % 2, number // 2
        image.paste(
            colour, (column * width // 2, row * height // 2, (column + 1) * width // 2, (row + 1) * height // 2)
        )
    return image


def coded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """The bytes of an image file."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def zipped(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """The bytes of a ZIP file."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


def patched(archive: bytes, local: int, central: int, field: bytes) -> bytes:
    """A ZIP of one entry with bytes of its two headers overwritten, at these offsets in each."""
    data = bytearray(archive)
    for magic, offset in ((b"PK\x03\x04", local), (b"PK\x01\x02", central)):
        start = data.index(magic) + offset
        data[start : start + len(field)] = field
    return bytes(data)


def folder_of(root: Path, files: Mapping[str, bytes]) -> Path:
    """`root`, filled with files."""
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def content(root: Path) -> dict[str, bytes]:
    """Every file below `root` by its relative name."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}
