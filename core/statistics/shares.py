"""Shares of images: Wilson's interval, which has width even where nothing or everything counts."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

from numpy.typing import NDArray
from scipy.stats import binomtest

from core.statistics.intervals import LEVEL, Interval, image_means


def wilson(hits: float, n: int) -> tuple[float, float]:
    """Wilson's 95 % bounds of a share `hits / n` (1927); of nothing everything is possible.

    Where an image counts in part, so that `hits` is not whole, the bounds lie between those of the whole numbers
    beside it: a mean of values from 0 to 1 varies no more than one of zeros and ones.
    """
    if not n:
        return 0.0, 1.0
    below = min(math.floor(hits + 1e-9), n)
    part = max(0.0, hits - below)
    low, high = _whole(below, n)
    if part > 1e-9:
        next_low, next_high = _whole(below + 1, n)
        low, high = low + part * (next_low - low), high + part * (next_high - high)
    return low, high


@cache
def _whole(hits: int, n: int) -> tuple[float, float]:
    got = binomtest(hits, n).proportion_ci(confidence_level=LEVEL, method="wilson")
    # Rounding must not leave 0 or 1 where the interval reaches it.
    return 0.0 if hits == 0 else float(got.low), 1.0 if hits == n else float(got.high)


def share_of_images(values: NDArray[Any], images: NDArray[Any], *, counted: str = "images") -> Interval:
    """The mean over images of each image's share of `values` (k,), 0 or 1 or a share each, with Wilson's interval.

    `images` (k,) names the image of each value. NaN values are left out; an image with none left does not count.
    """
    means = image_means(values, images)
    n = len(means)
    if not n:
        return Interval(None, None, None, 0, counted)
    low, high = wilson(float(means.sum()), n)
    return Interval(float(means.mean()), low, high, n, counted)
