"""Spearman's rank correlation: the value, with one rule for constants, and its interval over pairs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.deferred import Deferred
from core.statistics.intervals import LEVEL, Interval

norm = Deferred("scipy.stats", "norm")
rankdata = Deferred("scipy.stats", "rankdata")

# With fewer pairs a rank correlation has too few values for any interval to keep its coverage.
FEWEST_PAIRS = 12
# The jackknife's variance counts from and up to so many times Bonett and Wright's.
LEAST_TIMES, MOST_TIMES = 0.8, 9.0


def spearman(a: NDArray[Any], b: NDArray[Any]) -> float | None:
    """Rank correlation of two arrays of one shape, from -1 to 1.

    None (not defined) if either is constant or holds a value that is not finite: a constant has no order.
    """
    x, y = np.ravel(a), np.ravel(b)
    if not (np.isfinite(x).all() and np.isfinite(y).all()) or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    rx, ry = rankdata(x), rankdata(y)
    rx, ry = rx - rx.mean(), ry - ry.mean()
    return float((rx @ ry) / np.sqrt((rx @ rx) * (ry @ ry)))


def rank_vector(grid: NDArray[Any]) -> NDArray[np.float64] | None:
    """The ranks of a map as a vector of mean 0 and length 1, so that a product of two is Spearman's correlation.

    None where `spearman` would be.
    """
    flat = np.ravel(grid)
    if not np.isfinite(flat).all() or np.ptp(flat) == 0:
        return None
    ranks = rankdata(flat)
    ranks -= ranks.mean()
    return np.asarray(ranks / np.sqrt(ranks @ ranks), dtype=np.float64)


def centred_ranks(values: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The ranks, less their mean, of the rows of `values` (k, n) for which `spearman` is defined, and which these are.

    Ties share their mean rank, so that every rank is a multiple of a half and products of ranks sum without rounding.
    """
    with np.errstate(invalid="ignore"):
        known = np.isfinite(values).all(axis=1) & (np.ptp(values, axis=1) > 0)
    ranks = rankdata(values[known], axis=1) - (values.shape[1] + 1) / 2
    return np.asarray(ranks, dtype=np.float64), known


def rank_correlation(a: NDArray[Any], b: NDArray[Any], *, counted: str = "pairs") -> Interval:
    """Spearman's correlation of n pairs with its interval; None below `FEWEST_PAIRS` pairs."""
    value, n = spearman(a, b), len(a)
    if value is None or n < FEWEST_PAIRS:
        return Interval(value, None, None, n, counted)
    low, high = rank_bounds(np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64))
    return Interval(value, float(low), float(high), n, counted)


def rank_bounds(a: NDArray[Any], b: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bounds of Spearman's correlation over the last axis of `a` and `b` `(..., n)`, none of them constant.

    Fisher's z with the jackknife's variance, which is too variable for few pairs and therefore kept between 0.8 and 9
    times Bonett and Wright's (2000); theirs alone is too small for heavy tails and strong correlations.
    """
    n = a.shape[-1]
    value = _spearman(a, b)
    # A sample correlation of 1 does not make the population's 1.
    inner = np.clip(value, -1 + 0.5 * n**-1.5, 1 - 0.5 * n**-1.5)
    left_out = np.stack([_spearman(np.delete(a, at, axis=-1), np.delete(b, at, axis=-1)) for at in range(n)], axis=-1)
    spread = ((left_out - left_out.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1) * (n - 1) / n
    plain = (1 + inner**2 / 2) / (n - 3)
    variance = np.clip(spread / (1 - inner**2) ** 2, LEAST_TIMES * plain, MOST_TIMES * plain)
    half = norm.ppf((1 + LEVEL) / 2) * np.sqrt(variance)
    return np.tanh(np.arctanh(inner) - half), np.tanh(np.arctanh(inner) + half)


def _spearman(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    ranks = [rankdata(values, axis=-1) - (a.shape[-1] + 1) / 2 for values in (a, b)]
    size = np.sqrt((ranks[0] ** 2).sum(axis=-1) * (ranks[1] ** 2).sum(axis=-1))
    # Without one pair the rest may be constant: that leaves nothing to correlate.
    return np.asarray((ranks[0] * ranks[1]).sum(axis=-1) / np.where(size > 0, size, 1.0), dtype=np.float64)
