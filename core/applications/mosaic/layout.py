"""One to four images set side by side in a square. No torch."""

from __future__ import annotations

from PIL import Image

from core.errors import InputError

# Rows and columns of a mosaic by its number of tiles.
LAYOUTS = {1: (1, 1), 2: (1, 2), 3: (2, 2), 4: (2, 2)}
GREY = (127, 127, 127)


def mosaic(images: list[Image.Image], side: int) -> Image.Image:
    """One to four images in a square of `side` pixels, row by row; of three the last quarter stays grey.

    Each is cut to its middle so that its tile is filled without stretching. Raises `InputError` for another number.
    """
    rows, columns = layout(len(images))
    made = Image.new("RGB", (side, side), GREY)
    for at, image in enumerate(images):
        top, bottom = (round((at // columns + k) * side / rows) for k in (0, 1))
        left, right = (round((at % columns + k) * side / columns) for k in (0, 1))
        made.paste(_filling(image.convert("RGB"), right - left, bottom - top), (left, top))
    return made


def layout(tiles: int) -> tuple[int, int]:
    """Rows and columns of a mosaic. Raises `InputError` unless there are one to four tiles."""
    if tiles not in LAYOUTS:
        raise InputError(f"a mosaic of {tiles} images was requested; one to four are possible")
    return LAYOUTS[tiles]


def _filling(image: Image.Image, width: int, height: int) -> Image.Image:
    factor = max(width / image.width, height / image.height)
    across, down = width / factor, height / factor
    left, top = (image.width - across) / 2, (image.height - down) / 2
    return image.resize((width, height), Image.Resampling.BICUBIC, box=(left, top, left + across, top + down))
