"""One to four pictures set side by side in a square. No torch."""

from __future__ import annotations

from PIL import Image

from core.errors import InputError

# Rows and columns of a mosaic by its number of tiles.
LAYOUTS = {1: (1, 1), 2: (1, 2), 3: (2, 2), 4: (2, 2)}
GREY = (127, 127, 127)


def mosaic(pictures: list[Image.Image], side: int) -> Image.Image:
    """One to four pictures in a square of `side` pixels, row by row; of three the last quarter stays grey.

    Each is cut to its middle so that its tile is filled without stretching. Raises `InputError` for another number.
    """
    rows, columns = layout(len(pictures))
    made = Image.new("RGB", (side, side), GREY)
    for at, picture in enumerate(pictures):
        top, bottom = (round((at // columns + k) * side / rows) for k in (0, 1))
        left, right = (round((at % columns + k) * side / columns) for k in (0, 1))
        made.paste(_filling(picture.convert("RGB"), right - left, bottom - top), (left, top))
    return made


def layout(tiles: int) -> tuple[int, int]:
    """Rows and columns of a mosaic. Raises `InputError` unless there are one to four tiles."""
    if tiles not in LAYOUTS:
        raise InputError(f"a mosaic of {tiles} pictures; one to four are possible")
    return LAYOUTS[tiles]


def _filling(picture: Image.Image, width: int, height: int) -> Image.Image:
    factor = max(width / picture.width, height / picture.height)
    across, down = width / factor, height / factor
    left, top = (picture.width - across) / 2, (picture.height - down) / 2
    return picture.resize((width, height), Image.Resampling.BICUBIC, box=(left, top, left + across, top + down))
