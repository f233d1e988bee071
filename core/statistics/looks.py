"""Bounds and tests of a measure that is looked at while it grows, so that it may stop as soon as it is decided.

The 5 % that may be missed are split: 1 % for all looks before the last one together, by confidence sequences, and 4 %
for the last one, by the usual intervals. Whatever the rule of stopping, the two together miss at most 5 %; a measure
that runs to its end hardly loses width, and one that stops early was far from its limit.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.deferred import Deferred
from core.statistics.intervals import FEWEST_RATIO, Interval, corrected_bounds, ratio_of_means, reach_of
from core.statistics.proportion import wilson
from core.statistics.sequences import betting_bounds, betting_p, mixture_bounds, mixture_p
from core.statistics.significance import above_p, above_zero_p
from core.statistics.two_samples import FEWEST_EACH, excess_bounds

binom = Deferred("scipy.stats", "binom")

# only: nothing was looked at before; interim: the measure stopped at a look; last: it ran to its end after looks.
Look = Literal["only", "interim", "last"]
ALPHA = 0.05
SPENT: dict[Look, float] = {"only": 1.0, "interim": 0.2, "last": 0.8}
Floats = NDArray[np.float64]
Bounds = tuple[float, float]


def ratio_at(look: Look, amount: NDArray[Any], total: NDArray[Any]) -> Interval:
    """As `ratio_of_means`, with the bounds of this look."""
    got = ratio_of_means(amount, total)
    if look == "only" or got.value is None or got.n < FEWEST_RATIO:
        return got
    a, t = np.asarray(amount, dtype=np.float64), np.asarray(total, dtype=np.float64)
    low, high = _mean_at(look, got.value + (a - got.value * t) / t.mean())
    return Interval(got.value, low, high, got.n, got.counted)


def above_zero_at(look: Look, differences: NDArray[Any]) -> float | None:
    """As `above_zero_p`, for comparison with the usual significance."""
    p = mixture_p(differences) if look == "interim" else above_zero_p(differences)
    return None if p is None else min(1.0, p / SPENT[look])


def share_at(look: Look, flags: NDArray[Any], least: float) -> tuple[float, float, float]:
    """Bounds of the share of units that are 1, and the one-sided p that it is not above `least`.

    `flags` (n,) are in the order of drawing.
    """
    x = np.asarray(flags, dtype=np.float64)
    n, hits = len(x), round(float(x.sum()))
    if look == "interim":
        low, high = betting_bounds(x, ALPHA * SPENT[look])
        return low, high, min(1.0, betting_p(x, least) / SPENT[look])
    low, high = wilson(hits, n, 1 - ALPHA * SPENT[look])
    return low, high, min(1.0, float(binom.sf(hits - 1, n, least)) / SPENT[look])


def excess_at(
    look: Look, own: NDArray[Any], total: NDArray[Any], others: NDArray[Any], least: float
) -> tuple[float, float, float] | None:
    """Bounds of (mean(own) - mean(others)) / mean(total) and the one-sided p that it is not above `least`.

    None where `excess_bounds` has none. At an interim look each side has a sequence of its own with half the error.
    """
    a, t, b = (np.asarray(values, dtype=np.float64) for values in (own, total, others))
    bounds = excess_bounds(a, t, b, 1 - ALPHA * SPENT[look])
    if bounds is None or min(len(a), len(b)) < FEWEST_EACH:
        return None
    if look != "interim":
        return *bounds, min(1.0, above_p(a - least * t, b) / SPENT[look])
    whole = t.mean()
    excess = (a.mean() - b.mean()) / whole
    low, high = _apart(excess + (a - excess * t) / whole, b / whole, ALPHA * SPENT[look])
    return low, high, min(1.0, _apart_p(a - least * t, b) / SPENT[look])


def _mean_at(look: Look, values: Floats) -> Bounds:
    if look == "interim":
        return mixture_bounds(values, ALPHA * SPENT[look])
    low, high = corrected_bounds(values, reach_of(len(values), SPENT[look]))
    return float(low), float(high)


def _apart(above: Floats, below: Floats, alpha: float) -> Bounds:
    upper, lower = mixture_bounds(above, alpha / 2), mixture_bounds(below, alpha / 2)
    return upper[0] - lower[1], upper[1] - lower[0]


def _apart_p(above: Floats, below: Floats) -> float:
    """The smallest error at which the sequences of the two means lie apart, to a hundredth of its logarithm."""
    if _apart(above, below, 1.0)[0] <= 0:
        return 1.0
    low, high = -30.0, 0.0
    while high - low > 0.01:
        middle = (low + high) / 2
        low, high = (low, middle) if _apart(above, below, float(np.exp(middle)))[0] > 0 else (middle, high)
    return float(np.exp(high))
