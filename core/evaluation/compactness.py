"""How much of an image a map points at: sparseness, entropy and effective area. No forwards, no torch.

None of them says whether a map is right: one wrong cell is the sparsest map there is. All are taken of the size of the
values on the common grid, because a finer grid alone would change them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.evaluation.agreement import common_grid

HALF = 0.5


def compactness(values: NDArray[Any]) -> dict[str, float | None]:
    """`sparseness`, `entropy` and `effective_area` of a map `(rows, columns)` on the common grid.

    All None (undefined) for a map of zeros.
    """
    sizes = np.abs(common_grid(values)).ravel()
    if not np.isfinite(sizes).all() or sizes.sum() <= 0:
        return {"sparseness": None, "entropy": None, "effective_area": None}
    return {"sparseness": gini(sizes), "entropy": entropy(sizes), "effective_area": effective_area(sizes)}


def gini(sizes: NDArray[Any]) -> float:
    """The Gini index of sizes `(cells,)`, none below 0: 0 where all are equal, 1 - 1/cells where one has everything.

    sum_i (2i - n - 1) a_i / (n sum a) over the sizes in rising order (Hurley and Rickard, 2009).
    """
    rising = np.sort(np.asarray(sizes, dtype=float))
    count = len(rising)
    weights = 2 * np.arange(1, count + 1) - count - 1
    return float(weights @ rising / (count * rising.sum()))


def entropy(sizes: NDArray[Any]) -> float:
    """Shannon's entropy of the sizes' shares over its largest value, log cells: 1 where all are equal, 0 for one cell.

    Bhatt et al. (2020) call it complexity.
    """
    shares = np.asarray(sizes, dtype=float) / np.sum(sizes)
    some = shares[shares > 0]
    return float(-(some @ np.log(some)) / np.log(len(shares))) if len(shares) > 1 else 0.0


def effective_area(sizes: NDArray[Any], part: float = HALF) -> float:
    """The smallest share of the cells that holds `part` of the sum: `part` itself where all cells are equal.

    Needs no threshold on the values, which have another unit in every method. The last cell enters by what is needed
    of it.
    """
    falling = np.sort(np.asarray(sizes, dtype=float))[::-1]
    reached = np.cumsum(falling)
    wanted = part * reached[-1]
    last = min(int(np.searchsorted(reached, wanted)), len(falling) - 1)
    before = reached[last - 1] if last else 0.0
    return float((last + (wanted - before) / falling[last]) / len(falling))
