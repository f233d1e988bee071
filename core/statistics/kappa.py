"""Cohen's kappa: how far two judges agree beyond chance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.statistics.intervals import Interval
from core.statistics.proportion import wilson

# With fewer common units the agreement by chance is hardly known.
FEWEST_COMMON = 8


def cohen_kappa(first: Sequence[str], second: Sequence[str]) -> Interval:
    """Cohen's kappa (1960) of two judges' marks of the same units, from -1 to 1, and its interval.

    The interval is Wilson's of the observed agreement, with the agreement by chance taken as known, as in Cohen's own
    standard error; it keeps a width where the judges agree everywhere. No value where chance alone gives agreement
    everywhere (both use one and the same mark), and no interval below `FEWEST_COMMON` units.
    """
    if len(first) != len(second):
        raise ValueError("the judges' marks are not of the same units")
    n = len(first)
    if not n:
        return Interval(None, None, None, 0)
    a, b = np.asarray(first), np.asarray(second)
    agree = int((a == b).sum())
    chance = float(sum((a == mark).mean() * (b == mark).mean() for mark in np.union1d(a, b)))
    if chance >= 1.0 - 1e-12:
        return Interval(None, None, None, n)

    def kappa(agreement: float) -> float:
        return (agreement - chance) / (1 - chance)

    value = kappa(agree / n)
    if n < FEWEST_COMMON:
        return Interval(value, None, None, n)
    low, high = wilson(agree, n)
    return Interval(value, max(-1.0, kappa(low)), min(1.0, kappa(high)), n)
