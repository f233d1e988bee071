"""Opening an image file by Pillow so that a part of an image never passes for the whole."""

from __future__ import annotations

from pathlib import Path
from typing import IO

from PIL import Image, ImageFile


def open_whole(source: str | Path | IO[bytes], formats: tuple[str, ...] | None = None) -> Image.Image:
    """`PIL.Image.open`, whose image raises `OSError` when its pixels are read and the end of the file is missing.

    Pillow fills what is missing with grey instead once a flag of the whole process is set, and WeasyPrint sets it when
    it is imported: a truncated image would be audited, or refused, depending on whether a report was rendered before.
    """
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    return Image.open(source, formats=formats)
