"""Wilson's interval of a share of n units."""

from __future__ import annotations

import math
from functools import cache

from core.deferred import Deferred

binomtest = Deferred("scipy.stats", "binomtest")


LEVEL = 0.95


def wilson(hits: float, n: int, level: float = LEVEL) -> tuple[float, float]:
    """Wilson's bounds of a share `hits / n` (1927), at 95 % by default; of nothing everything is possible.

    Where an image counts in part, so that `hits` is not whole, the bounds lie between those of the whole numbers
    beside it: a mean of values from 0 to 1 varies no more than one of zeros and ones.
    """
    if not n:
        return 0.0, 1.0
    below = min(math.floor(hits + 1e-9), n)
    part = max(0.0, hits - below)
    low, high = _whole(below, n, level)
    if part > 1e-9:
        next_low, next_high = _whole(below + 1, n, level)
        low, high = low + part * (next_low - low), high + part * (next_high - high)
    return low, high


@cache
def _whole(hits: int, n: int, level: float) -> tuple[float, float]:
    got = binomtest(hits, n).proportion_ci(confidence_level=level, method="wilson")
    # Rounding must not leave 0 or 1 where the interval reaches it.
    return 0.0 if hits == 0 else float(got.low), 1.0 if hits == n else float(got.high)
