"""Shares of images: Wilson's interval, which has width even where nothing or everything counts."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from core.statistics.intervals import Interval, image_means
from core.statistics.proportion import wilson


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
