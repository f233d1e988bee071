"""Stratified samples of a finite set: how many to draw from each stratum, and the share that they estimate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.deferred import Deferred
from core.statistics.intervals import LEVEL, Interval

norm = Deferred("scipy.stats", "norm")

# Fewer units of a stratum give no variance within it.
FEWEST_OF_STRATUM = 2
# Imagined units that keep the estimated variance of a stratum above 0: they have the share of the whole sample, to
# which half a success and half a failure are added. Chosen by simulation (benchmarks/coverage.py).
IMAGINED = 1.0


def neyman_allocation(sizes: Sequence[int], spreads: Sequence[float], total: int) -> list[int]:
    """How many of `total` units to draw from each stratum (Neyman, 1934).

    Proportional to size times the expected standard deviation in `spreads`, at least `FEWEST_OF_STRATUM` and at most
    all units of a stratum. Where `total` is below the sum of the least numbers, these are returned.
    """
    size = np.asarray(sizes, dtype=np.int64)
    weight = size * np.asarray(spreads, dtype=np.float64)
    number = np.minimum(size, FEWEST_OF_STRATUM)
    while number.sum() < min(total, size.sum()):
        # The unit goes where it lowers the variance most (Wright, 2012): an exact optimum in whole numbers.
        gain = np.where(number < size, weight / np.sqrt(np.maximum(number, 1) * (number + 1.0)), -1.0)
        number[int(gain.argmax())] += 1
    return [int(each) for each in number]


def stratified_share(hits: Sequence[int], drawn: Sequence[int], sizes: Sequence[int]) -> Interval:
    """The share of a finite set with a property, from a simple random sample of each stratum.

    `hits` of `drawn` units of a stratum of `sizes` have it. The value is the Horvitz-Thompson estimate: the mean over
    strata, weighted by size. The interval is Wilson's on the effective number of units, which is the number that would
    give the design's variance in a simple random sample (Korn and Graubard, 1998; Franco et al., 2019); a complete
    count has no width. No value where a stratum has no unit drawn.
    """
    count, n, size = (np.asarray(values, dtype=np.float64) for values in (hits, drawn, sizes))
    whole, total = size.sum(), int(n.sum())
    if not total or (n < 1).any():
        return Interval(None, None, None, total)
    weight, share = size / whole, count / n
    value = float(weight @ share)
    effective = _effective(value, count, n, size)
    if math.isinf(effective):
        return Interval(value, value, value, total)
    low, high = _wilson(value, effective)
    return Interval(value, low, high, total)


def _effective(value: float, count: NDArray[Any], n: NDArray[Any], size: NDArray[Any]) -> float:
    """The number of units of a simple random sample of the same variance; infinite for a complete count."""
    weight, total = size / size.sum(), n.sum()
    centre = (value * total + 0.5) / (total + 1)
    smooth = (count + IMAGINED * centre) / (n + IMAGINED)
    # Of the same smoothed shares as the variance below, so that both shrink alike where nearly all units agree.
    mean, fraction = float(weight @ smooth), 1 - n / size
    variance = float((weight**2 * fraction * smooth * (1 - smooth) / np.maximum(n - 1, 1)).sum())
    return mean * (1 - mean) / variance if variance > 0 else math.inf


def _wilson(share: float, n: float) -> tuple[float, float]:
    z = float(norm.ppf((1 + LEVEL) / 2))
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, centre - reach), min(1.0, centre + reach)
