"""Bootstrap over pictures: the unit of resampling is the image, never the pair or the pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % bootstrap interval over `n` images. `low` and `high` are None if n < 2."""

    value: float | None
    low: float | None
    high: float | None
    n: int

    def excludes(self, value: float) -> bool:
        """Whether the whole interval lies on one side of `value`."""
        return self.low is not None and self.high is not None and (self.low > value or self.high < value)


def bootstrap_mean(values: NDArray[Any], groups: NDArray[Any], *, resamples: int = 1000, seed: int = 0) -> Interval:
    """The mean over images of each image's mean, with a percentile interval from resampling images.

    `values` (k,) and `groups` (k,), the image of each value. NaN values are left out; an image with none left
    doesn't count.
    """
    means = pd.Series(np.asarray(values, dtype=float)).groupby(np.asarray(groups)).mean().dropna().to_numpy()
    return interval_of_means(means, resamples=resamples, seed=seed)


def interval_of_means(means: NDArray[Any], *, resamples: int = 1000, seed: int = 0) -> Interval:
    """The interval for the mean of one value an image."""
    n = len(means)
    if n == 0:
        return Interval(None, None, None, 0)
    if n == 1:
        return Interval(float(means[0]), None, None, 1)
    draws = np.random.default_rng(seed).integers(0, n, size=(resamples, n))
    low, high = np.quantile(means[draws].mean(axis=1), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(means.mean()), float(low), float(high), n)


def holm(p_values: NDArray[Any]) -> NDArray[np.float64]:
    """Holm's step-down adjusted p-values for a family of tests."""
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p)
    adjusted = np.empty_like(p)
    running = 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1.0, (len(p) - rank) * p[index]))
        adjusted[index] = running
    return adjusted


def adjusted(p_values: pd.Series) -> pd.Series:
    """Holm's adjusted p-values of those that are known; the others stay NaN and count for nothing."""
    known = p_values.notna()
    found = pd.Series(np.nan, index=p_values.index)
    found[known] = holm(p_values[known].to_numpy(float))
    return found


def sign_flip_p(differences: NDArray[Any], *, resamples: int = 2000, seed: int = 0) -> float | None:
    """Two-sided p-value that paired differences (one an image) have mean zero, by flipping signs. None if n < 2."""
    d = np.asarray(differences, dtype=float)
    d = d[np.isfinite(d)]
    if len(d) < 2:
        return None
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(resamples, len(d)))
    null = np.abs((signs * d).mean(axis=1))
    return float((1 + (null >= abs(d.mean()) - 1e-15).sum()) / (resamples + 1))


def wilson(hits: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share `hits / n` (1927); everything is possible of nothing."""
    if not n:
        return 0.0, 1.0
    z, share = 1.959964, hits / n
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    # Rounding must not leave 0 or 1 where the interval reaches it.
    low, high = 0.0 if hits == 0 else max(0.0, middle - half), 1.0 if hits == n else min(1.0, middle + half)
    return float(low), float(high)
