"""How rough a map is: whether neighbouring cells are more alike than any two cells. No torch.

A ratio of the kind of Geary's (1954, "The contiguity ratio and statistical mapping", equation 3), with absolute
differences in place of squared ones, so that one extreme cell does not decide it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd
else:
    from core.deferred import pandas as pd


def roughness(rows: pd.DataFrame) -> NDArray[np.float64]:
    """For each row the mean absolute difference of horizontal and vertical neighbours over that of any two cells.

    Near 0 where a map changes smoothly; 1 is expected of its values in random positions; above 1 where neighbours
    differ more than that. NaN without a map, and where all cells are equal.
    """
    values = np.full(len(rows), np.nan)
    known = rows.reset_index(drop=True)
    known = known[known["map"].notna()]
    for (height, width), part in known.groupby(["rows", "columns"]):
        maps = np.stack(list(part["map"])).astype(np.float64)
        values[part.index] = roughness_of(maps.reshape(len(part), int(height), int(width)))
    return values


def roughness_of(maps: NDArray[np.float64]) -> NDArray[np.float64]:
    """The roughness of each of `maps` `(maps, rows, columns)`."""
    steps = [np.abs(np.diff(maps, axis=axis)).reshape(len(maps), -1) for axis in (1, 2)]
    neighbours = np.concatenate(steps, axis=1)
    cells = np.sort(maps.reshape(len(maps), -1), axis=1)
    n = cells.shape[1]
    if n < 2:
        return np.full(len(maps), np.nan)
    # Over all pairs of sorted values, the k-th of n is the larger one k times and the smaller one n - 1 - k times.
    pairs = cells @ (2.0 * np.arange(n) - (n - 1)) / (n * (n - 1) / 2)
    differs = cells[:, -1] > cells[:, 0]
    return np.where(differs, neighbours.mean(axis=1) / np.where(differs, pairs, 1.0), np.nan)
