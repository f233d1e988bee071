"""Where deletion and insertion curves are measured: closer together at both ends, where they bend. No torch.

At step i of n the share of removed cells is the mean of i / n and (1 - cos(pi i / n)) / 2: half of the steps are spread
evenly, half as in Clenshaw and Curtis (1960). `docs/measures.md` compares the error of the areas with that of even
steps.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

# The column of a result row that says where its curves were measured.
SHARES = "curve_shares"


def cell_counts(cells: int, steps: int) -> list[int]:
    """How many of the cells are removed at each of `steps + 1` points, from 0 to all, the same from either end."""
    angles = np.linspace(0, np.pi, steps + 1)
    shares = (angles / np.pi + (1 - np.cos(angles)) / 2) / 2
    first = [round(cells * float(share)) for share in shares[: (steps + 2) // 2]]
    return [*first, *(cells - count for count in reversed(first[: (steps + 1) // 2]))]


def trapezia(values: ArrayLike, shares: ArrayLike) -> float:
    """The area under values at these shares: the sum of the trapezia between them."""
    heights = np.asarray(values, dtype=np.float64)
    return float(((heights[:-1] + heights[1:]) / 2 * np.diff(shares)).sum())


def shares_of(shares: Iterable[Any], points: int) -> NDArray[np.float64]:
    """The stored shares of curves with so many points, `(curves, points)`.

    Even steps where none are stored, as in results of earlier versions.
    """
    even = np.linspace(0, 1, points)
    return np.stack([even if one is None or np.ndim(one) == 0 else np.asarray(one, dtype=np.float64) for one in shares])
