"""The mosaic pointing game: pictures set side by side, and whether a text's map lies on the picture it belongs to.

Known as the grid pointing game (Boehle et al., CVPR 2021). It needs no drawn objects, only pictures with texts of their
own: which tile a text belongs to is known because we put it there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.errors import InputError
from core.evaluation.localisation import energy, pointing

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


def tile_region(tile: int, tiles: int, size: tuple[int, int]) -> NDArray[np.bool_]:
    """The pixels `(rows, columns)` of a map of `size` that lie in a tile, by the middle of each pixel."""
    rows, columns = layout(tiles)
    if not 0 <= tile < tiles:
        raise InputError(f"tile {tile} of {tiles}; they are counted from 0")
    down = ((np.arange(size[0]) + 0.5) / size[0] * rows).astype(int) == tile // columns
    across = ((np.arange(size[1]) + 0.5) / size[1] * columns).astype(int) == tile % columns
    return np.logical_and.outer(down, across)


def share_in_tile(values: NDArray[Any], tile: int, tiles: int) -> dict[str, float | None]:
    """How much of a text's map `(rows, columns)` of a mosaic lies on its own picture, its tile counted from 0.

    share: of the sum of positive values; energy: of the mass above the lowest value; pointing: 1 if the highest cell
    lies there, ties by their share. A map that knows nothing has the tile's part of the area on average: 1/tiles, for
    three 1/4. `share` is None where no value is positive. Cells that a border cuts go to the tile of their middle: give
    maps on a grid that the tiles divide, or enlarge them first.
    """
    found = np.asarray(values, dtype=np.float64)
    inside = tile_region(tile, tiles, (found.shape[0], found.shape[1]))
    positive = np.maximum(found, 0)
    share = float(positive[inside].sum() / positive.sum()) if positive.sum() > 0 else None
    return {"share": share, "energy": energy(found, inside), "pointing": pointing(found, inside)}


def _filling(picture: Image.Image, width: int, height: int) -> Image.Image:
    factor = max(width / picture.width, height / picture.height)
    across, down = width / factor, height / factor
    left, top = (picture.width - across) / 2, (picture.height - down) / 2
    return picture.resize((width, height), Image.Resampling.BICUBIC, box=(left, top, left + across, top + down))
