"""Intervals that compare two sets of images: differences of means (Welch) and the area under the ROC curve."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.deferred import Deferred
from core.statistics.intervals import LEVEL, ROUNDING

brentq = Deferred("scipy.optimize", "brentq")
norm = Deferred("scipy.stats", "norm")
ttest_ind = Deferred("scipy.stats", "ttest_ind")

# With fewer on a side Welch's interval loses skewed values, above all where the sides are of unlike size.
FEWEST_EACH = 8
# With fewer on a side the area under the curve has too few values for any interval.
FEWEST_SIDE = 4

# The equation of an area of 0 or 1 is solved by itself, too; its other solution is the bound.
EDGE = 1e-9

Bounds = tuple[float, float] | None


def difference_bounds(above: NDArray[Any], below: NDArray[Any], level: float = LEVEL) -> Bounds:
    """Bounds of mean(above) - mean(below) of two sets of images (Welch, 1947); None below `FEWEST_EACH` of each."""
    a, b = np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
    if min(len(a), len(b)) < FEWEST_EACH:
        return None
    gap, size = float(a.mean() - b.mean()), max(float(np.abs(a).max()), float(np.abs(b).max()))
    if max(a.std(), b.std()) <= ROUNDING * size:
        return gap, gap
    got = ttest_ind(a, b, equal_var=False).confidence_interval(level)
    return float(got.low), float(got.high)


def excess_bounds(own: NDArray[Any], total: NDArray[Any], others: NDArray[Any], level: float = LEVEL) -> Bounds:
    """Bounds of (mean(own) - mean(others)) / mean(total), where `own` and `total` are of the same images.

    The ratio is expanded linearly, then Welch's interval is taken. None below `FEWEST_EACH` on a side or without a
    mean total.
    """
    a, t, b = (np.asarray(values, dtype=np.float64) for values in (own, total, others))
    if min(len(a), len(b)) < FEWEST_EACH or t.mean() == 0:
        return None
    whole = t.mean()
    excess = (a.mean() - b.mean()) / whole
    return difference_bounds(excess + (a - excess * t) / whole, b / whole, level)


def auroc_bounds(area: float, inside: int, outside: int) -> Bounds:
    """Bounds of an area under the ROC curve from `inside` and `outside` images (Newcombe, 2006, method 5).

    Like Wilson's for a share it has width where the sides do not overlap. None below `FEWEST_SIDE` on a side.
    """
    if min(inside, outside) < FEWEST_SIDE:
        return None
    z = float(norm.ppf((1 + LEVEL) / 2))
    mean = (inside + outside) / 2

    def gap(theta: float) -> float:
        inner = 1 + (mean - 1) * ((1 - theta) / (2 - theta) + theta / (1 + theta))
        return abs(area - theta) - z * float(np.sqrt(theta * (1 - theta) * inner / (inside * outside)))

    low = 0.0 if area <= 0 else float(brentq(gap, 0.0, min(area, 1 - EDGE)))
    high = 1.0 if area >= 1 else float(brentq(gap, max(area, EDGE), 1.0))
    return low, high
