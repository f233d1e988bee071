"""The border and the corners of an image, as cells of a grid. No torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.applications.reliance.record import CORNERS

RING, CORNER = 12, 4


def ring(rows: int, columns: int) -> NDArray[np.bool_]:
    """The outermost cells: one cell wide up to a grid of 18, in proportion beyond."""
    width = max(1, round(min(rows, columns) / RING))
    mask = np.ones((rows, columns), dtype=bool)
    mask[width : rows - width, width : columns - width] = False
    return mask


def corners(rows: int, columns: int) -> dict[str, NDArray[np.bool_]]:
    """A quarter of each side at each corner, by the names of `CORNERS`."""
    down, across = max(1, round(rows / CORNER)), max(1, round(columns / CORNER))
    found = {}
    for name in CORNERS:
        mask = np.zeros((rows, columns), dtype=bool)
        vertical = slice(0, down) if name.startswith("top") else slice(rows - down, rows)
        horizontal = slice(0, across) if name.endswith("left") else slice(columns - across, columns)
        mask[vertical, horizontal] = True
        found[name] = mask
    return found
