"""Confidence sequences: intervals that hold at every sample size at once, so that looking and stopping are free.

A fixed-sample interval that is looked at after every batch misses the mean far more often than one time in twenty.
These miss it at any time with the stated probability at most.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.statistics.intervals import corrected_bounds, corrected_distance

Floats = NDArray[np.float64]
Bounds = tuple[float, float]

# The variance of the normal prior on mean / standard deviation: where the sequence is narrowest.
PRIOR = 1.0
# A bet stakes at most this part of what it can lose, so that wealth never falls to 0.
MOST_STAKED = 0.75
# Candidate means between which a bound of the betting sequence is looked for.
CANDIDATES = 400


def mixture_bounds(values: NDArray[Any], alpha: float) -> Bounds:
    """Bounds of the mean of `values` (n,), n at least 2, that hold at all n at once with probability 1 - `alpha`.

    The likelihood ratio of t under a normal prior on the standardised mean is a martingale for normal values, whatever
    their variance (Lai, 1976; Wang and Ramdas, 2024); the sequence holds the means whose ratio is below 1 / `alpha`.
    As in `mean_bounds` t is corrected for skewness (Hall, 1992). Infinite where n is too small to exclude anything.
    """
    x = np.asarray(values, dtype=np.float64)
    n = len(x)
    grown = 1.0 + n * PRIOR
    root = float((grown / alpha**2) ** (1.0 / n))
    if root >= grown:
        return -np.inf, np.inf
    reach = float(np.sqrt((n - 1) / n * (root - 1.0) / (1.0 - root / grown)))
    low, high = corrected_bounds(x, reach)
    return float(low), float(high)


def mixture_p(values: NDArray[Any]) -> float | None:
    """One-sided p that the mean is not above 0, valid at every sample size at once; None below two values.

    The inverse of the likelihood ratio of `mixture_bounds`; 1 where the mean is not above 0.
    """
    x = np.asarray(values, dtype=np.float64)
    x = x[np.isfinite(x)]
    n = len(x)
    if n < 2:
        return None
    reach = corrected_distance(x)
    if reach <= 0 or x.mean() <= 0:
        return 1.0
    grown = 1.0 + n * PRIOR
    squared = n * reach**2 / (n - 1)
    gain = grown if np.isinf(squared) else (1.0 + squared) / (1.0 + squared / grown)
    return float(min(1.0, np.exp(0.5 * np.log(grown) - 0.5 * n * np.log(gain))))


def betting_bounds(values: NDArray[Any], alpha: float, population: int | None = None) -> Bounds:
    """Bounds of the mean of `values` (n,), each from 0 to 1, in the order of drawing, that hold at all n at once.

    For each candidate mean a gambler bets on the next value; a candidate is excluded once the gambler has multiplied
    the stake by 1 / `alpha` (hedged capital of Waudby-Smith and Ramdas, 2024, with predictable plug-in bets). With
    `population` units drawn without replacement it is the mean of that population, whose remaining part is bounded by
    the values already seen, so that the bounds close when all are drawn.
    """
    x = np.asarray(values, dtype=np.float64)
    candidates = np.linspace(0.0, 1.0, CANDIDATES + 1)
    alive = np.flatnonzero(_wealth(x, candidates, alpha, population) < 1.0 / alpha)
    if not len(alive):
        nearest = float(np.clip(x.mean(), 0.0, 1.0))
        return max(0.0, nearest - 1 / CANDIDATES), min(1.0, nearest + 1 / CANDIDATES)
    # A candidate on the grid stands for all up to its neighbours.
    low, high = float(candidates[max(alive[0] - 1, 0)]), float(candidates[min(alive[-1] + 1, CANDIDATES)])
    if population is None:
        return low, high
    least = float(x.sum()) / population
    return max(low, least), min(high, least + (population - len(x)) / population)


def betting_p(values: NDArray[Any], mean: float, population: int | None = None) -> float:
    """One-sided p that the mean of values from 0 to 1 is not above `mean`, valid at every sample size at once."""
    x = np.asarray(values, dtype=np.float64)
    upward = _capital(x, np.array([mean]), 0.05, population)[0]
    return float(min(1.0, 1.0 / max(float(upward.max()), 1.0)))


def _wealth(x: Floats, candidates: Floats, alpha: float, population: int | None) -> Floats:
    """The largest hedged capital so far of each candidate mean."""
    up, down = _capital(x, candidates, alpha, population)
    # Half the stake on either side; what was excluded once stays excluded.
    return np.asarray(np.maximum(up, down).max(axis=0) / 2.0, dtype=np.float64)


def _capital(x: Floats, candidates: Floats, alpha: float, population: int | None) -> tuple[Floats, Floats]:
    """The capital `(values, candidates)` of bets that the mean is above and below each candidate."""
    n = len(x)
    steps = np.arange(1, n + 1)
    # Estimates of mean and variance from what was seen before each bet.
    means = (0.5 + np.cumsum(x)) / (steps + 1)
    spread = (0.25 + np.cumsum((x - means) ** 2)) / (steps + 1)
    before = np.concatenate([[0.25], spread[:-1]])
    stakes = np.sqrt(2.0 * np.log(2.0 / alpha) / (before * steps * np.log(1.0 + steps)))
    seen = np.concatenate([[0.0], np.cumsum(x)[:-1]])
    if population is None:
        left = np.broadcast_to(candidates, (n, len(candidates)))
    else:
        # The mean of what is left, if the candidate is the mean of all.
        left = (population * candidates[None, :] - seen[:, None]) / (population - steps + 1)[:, None]
    impossible = (left < -1e-12) | (left > 1 + 1e-12)
    inside = np.clip(left, 1e-9, 1.0 - 1e-9)
    gap = x[:, None] - np.clip(left, 0.0, 1.0)
    above = np.minimum(stakes[:, None], MOST_STAKED / inside)
    below = np.minimum(stakes[:, None], MOST_STAKED / (1.0 - inside))
    up = np.cumsum(np.log1p(above * gap), axis=0)
    down = np.cumsum(np.log1p(-below * gap), axis=0)
    excluded = np.maximum.accumulate(impossible, axis=0)
    return np.where(excluded, np.inf, np.exp(up)), np.where(excluded, np.inf, np.exp(down))
