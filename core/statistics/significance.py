"""Tests: sign flips without chance, Student's and Welch's t, and permutations with a stated Monte-Carlo error."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.deferred import Deferred

# The distribution function of Student's t.
stdtr = Deferred("scipy.special", "stdtr")

Floats = NDArray[np.float64]

# Up to here all 2^n flips are enumerated; half of them suffice, the others mirror them.
MOST_ENUMERATED = 14
# Beyond, differences are rounded to this part of their root sum of squares and the distribution is convolved.
GRID = 2**-11
# A tail this many standard deviations out has no weight that could be printed.
REACH = 8.0
# A permutation test draws until this many draws are at least as extreme, so that the standard error of its p is 10 %
# of p (Besag and Clifford, 1991), or until there are MOST_DRAWS, where p is below 0.0025 and known to 0.0003.
ENOUGH_EXTREME = 100
BATCH, MOST_DRAWS = 5_000, 40_000
NOTHING = 1e-12
# From so many images on the convolution is taken by its characteristic function, whose sums are right to about 1e-14;
# a p below LEAST_BY_WAVES is convolved step by step all the same. Waves weaker than FAINT add nothing to it.
MANY = 500
LEAST_BY_WAVES = 1e-9
FAINT = 1e-20


def sign_flip_p(differences: NDArray[Any]) -> float | None:
    """Two-sided p that paired differences, one per image, have mean zero, over all flips of their signs.

    Exact up to 14 images; beyond, exact for the differences rounded to 1/2048 of their root sum of squares. No random
    number is drawn. None below two images.
    """
    d = np.asarray(differences, dtype=np.float64)
    d = d[np.isfinite(d)]
    n = len(d)
    if n < 2:
        return None
    size = float(np.sqrt(d @ d))
    if size <= NOTHING:
        return 1.0
    if n <= MOST_ENUMERATED:
        sums = np.abs(_signs(n) @ d)
        return float((sums >= abs(d.sum()) - 1e-9 * size).mean())
    return max(_convolved(np.rint(d / (GRID * size)).astype(np.int64)), 2.0 ** (1 - n))


@cache
def _signs(n: int) -> Floats:
    # The first sign is fixed: the other half of the flips has the same absolute sums.
    bits = (np.arange(2 ** (n - 1))[:, None] >> np.arange(n - 1)) & 1
    return np.hstack([np.ones((len(bits), 1)), 1.0 - 2.0 * bits])


def _convolved(steps: NDArray[np.int64]) -> float:
    """The share of sign flips of whole numbers whose absolute sum is at least the observed one."""
    observed = abs(int(steps.sum()))
    steps = np.abs(steps[steps != 0])
    half = int(min(steps.sum(), REACH / GRID))
    if observed > half:
        return 0.0
    if observed == 0:
        return 1.0
    if len(steps) >= MANY:
        p = _by_waves(steps, observed, half)
        if p >= LEAST_BY_WAVES:
            return p
    tail = _weights(steps, half)[observed:]
    return float(min(1.0, tail[::-1].copy().sum() + tail.sum()))


def _weights(steps: NDArray[np.int64], half: int) -> Floats:
    """The weight of each sum from 0 to `half` over all flips; a negative sum weighs what its opposite does."""
    weights, reached = np.zeros(half + 1), 0
    weights[0] = 1.0
    for step in steps.tolist():
        halved = 0.5 * weights[: reached + 1]
        reached = min(reached + step, half)
        weights[: reached + 1] = 0.0
        if step < len(halved):
            weights[: len(halved) - step] = halved[step:]
        weights[step : step + len(halved)] += halved[: max(0, half + 1 - step)]
        # What comes from below 0: the sum k from k - step.
        first, last = max(0, step - len(halved) + 1), min(step - 1, half)
        if first <= last:
            weights[first : last + 1] += halved[step - last : step - first + 1][::-1]
    return weights


def _by_waves(steps: NDArray[np.int64], observed: int, half: int) -> float:
    """The same share from the product of the cosines of all steps, on a ring of 2 `half` + 2 sums."""
    size = 2 * half + 2
    cosines = np.cos(2 * np.pi / size * np.arange(size))
    wave, strength = np.arange(half + 2), np.ones(half + 2)
    distinct, counts = np.unique(steps, return_counts=True)
    for at in np.argsort(-counts, kind="stable").tolist():
        strength = strength * cosines[wave * distinct[at] % size] ** counts[at]
        wave, strength = wave[(loud := np.abs(strength) > FAINT)], strength[loud]
    # The weight of the sums nearer to 0 than the observed one: a geometric series for each wave but the first.
    width = 2 * observed - 1
    angle = np.pi / size * wave[1:]
    series = strength[1:] * np.sin(width * angle) / np.sin(angle)
    # Waves stand for their mirror images, the last one only for itself.
    inside = width + 2 * series.sum() - (series[-1] if wave[-1] == half + 1 and len(series) else 0.0)
    return float(min(1.0, 1.0 - inside / size))


def above_zero_p(differences: NDArray[Any]) -> float | None:
    """One-sided p that the mean of differences, one per image, is not above 0 (Student's t). None below two.

    Sign flips cannot reach a small p on the eight images of a small class, of which many are compared.
    """
    d = np.asarray(differences, dtype=np.float64)
    d = d[np.isfinite(d)]
    if len(d) < 2:
        return None
    error = d.std(ddof=1) / np.sqrt(len(d))
    if error < NOTHING:
        return 0.0 if d.mean() > 0 else 1.0
    return float(stdtr(len(d) - 1, -d.mean() / error))


def above_p(own: NDArray[Any], others: NDArray[Any]) -> float:
    """One-sided p that the mean of `own` is not above that of `others` (Welch, 1947); two or more of each."""
    a, b = np.asarray(own, dtype=np.float64), np.asarray(others, dtype=np.float64)
    of_a, of_b = a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)
    error = np.sqrt(of_a + of_b)
    if error < NOTHING:
        return 0.0 if a.mean() > b.mean() else 1.0
    # Welch's degrees of freedom.
    freedom = (of_a + of_b) ** 2 / (of_a**2 / (len(a) - 1) + of_b**2 / (len(b) - 1))
    return float(stdtr(freedom, (b.mean() - a.mean()) / error))


def permutation_p(extreme: Callable[[int], NDArray[np.bool_]]) -> float:
    """The p of a permutation test: `extreme(count)` draws `count` times and returns which are as extreme as observed.

    Draws until its standard error is 10 % of p, or p is known to be below 0.0025. Never 0.
    """
    hits = drawn = 0
    while hits < ENOUGH_EXTREME and drawn < MOST_DRAWS:
        hits += int(np.count_nonzero(extreme(BATCH)))
        drawn += BATCH
    return (1 + hits) / (1 + drawn)
