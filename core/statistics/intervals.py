"""Intervals for means, ratios of means and smooth statistics. The unit is the image, never the pair or the pixel.

All rest on one method: Student's t corrected for skewness (Hall, 1992), with a level calibrated by simulation and ends
that do not leave the range of the values, so that normal, heavy-tailed and moderately skewed values are covered 93 to
97 times in 100 from seven images on. A percentile bootstrap, which was used before, covers 85 of 100 at six.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.deferred import Deferred
from core.statistics.proportion import LEVEL, wilson

if TYPE_CHECKING:
    import pandas as pd
else:
    from core.deferred import pandas as pd

student = Deferred("scipy.stats", "t")

# Below seven values no interval that stays within them can cover 93 %: all of six exponential values lie below the mean
# 6 times in 100. One that leaves them keeps its coverage, and at four ends up to 2.6 ranges beyond the largest value.
FEWEST = 7
# The same for ratios of means and for jackknifed statistics, which are linear only in the limit.
FEWEST_RATIO = 8
# How much of the estimated skewness is corrected for: a sample's skewness is itself uncertain.
SKEWNESS_WEIGHT = 0.8
# What floating-point sums leave of values that are all equal, relative to their size.
ROUNDING = 1e-12

# What a report says of its intervals.
METHOD = (
    "Intervals are at 95 %. That of a mean is Student's t corrected for skewness (Hall, 1992), at a level calibrated "
    "by simulation, and ends at the smallest and the largest value; that of a share of images is Wilson's; that of a "
    "ratio of means, such as a share of the gain, is that of its linear expansion; that of a difference between two "
    "sets of images is Welch's, and that of an area under the ROC curve Newcombe's (2006, method 5); that of a rank "
    "correlation is Fisher's z with a variance by the jackknife; those of mean intersection over union, of mean "
    "average precision and of a difference in standard deviations are by the jackknife. The documentation "
    "(statistics.md) lists all. With fewer than {fewest} images a mean has no interval: one that "
    "covered the mean often enough would reach far beyond the measured values."
)  # messages
# Ranges of quantities that have one, at which an interval is cut.
Range = tuple[float, float]
CORRELATION: Range = (-1.0, 1.0)
SHARE: Range = (0.0, 1.0)
# A share as an unbiased estimate, which can lie below 0 where the true one is small.
AT_MOST_ONE: Range = (-np.inf, 1.0)
NOT_NEGATIVE: Range = (0.0, np.inf)
UNBOUNDED: Range = (-np.inf, np.inf)

Statistic = Callable[[NDArray[Any]], float | None]


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % interval over `n` units, which `counted` names.

    `low` and `high` are None where n is too small for an interval that keeps its coverage and is informative.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    counted: str = "images"

    def excludes(self, value: float) -> bool:
        """Whether the whole interval lies on one side of `value`; never where there is no interval."""
        return self.low is not None and self.high is not None and (self.low > value or self.high < value)


def nominal_level(n: int) -> float:
    """The level at which the corrected t interval is taken so that its coverage is 95 % over the shapes simulated."""
    return LEVEL + 0.005 + 0.04 / n


@cache
def reach_of(n: int, spent: float = 1.0) -> float:
    """The reach of `corrected_bounds` at 95 %, or where only the part `spent` of the 5 % may be missed."""
    missed = spent * (1 - nominal_level(n))
    return float(student.isf(missed / 2, n - 1)) / float(np.sqrt(n))


def mean_bounds(values: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lower and upper bounds of the mean over the last axis of `values` `(..., n)`, n at least 2.

    Hall's cubic transformation of Student's t, inverted. Equal values give bounds of no width.
    """
    return corrected_bounds(values, reach_of(np.shape(values)[-1]))


def corrected_bounds(values: NDArray[Any], reach: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The same `reach` standard deviations about the mean, corrected for skewness and cut at the range of `values`."""
    x = np.asarray(values, dtype=np.float64)
    mean, (low, high) = x.mean(axis=-1), uncut_bounds(x, reach)
    # Rounding may put the mean of equal values a hair outside them.
    least, most = np.minimum(x.min(axis=-1), mean), np.maximum(x.max(axis=-1), mean)
    return np.maximum(least, low), np.minimum(most, high)


def uncut_bounds(values: NDArray[Any], reach: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`corrected_bounds` before they are cut: with few skewed values they end far beyond all of them."""
    mean, spread, shape, n = _moments(np.asarray(values, dtype=np.float64))

    def inverse(y: float) -> NDArray[np.float64]:
        return np.asarray(3 / shape * (np.cbrt(1 + shape * (y - shape / (6 * n))) - 1), dtype=np.float64)

    return mean - spread * inverse(reach), mean - spread * inverse(-reach)


def corrected_distance(values: NDArray[Any]) -> float:
    """The reach at which the lower one of `uncut_bounds` of `values` (n,) is 0; infinite for equal values."""
    mean, spread, shape, n = _moments(np.asarray(values, dtype=np.float64))
    if spread <= 0:
        return float(np.sign(mean)) * np.inf if mean else 0.0
    return float(((1 + shape * mean / spread / 3) ** 3 - 1) / shape + shape / (6 * n))


def _moments(x: NDArray[np.float64]) -> tuple[Any, Any, Any, int]:
    """Mean, standard deviation and weighted skewness over the last axis, and the number of values."""
    n = x.shape[-1]
    mean = x.mean(axis=-1)
    centred = x - mean[..., None]
    second = (centred**2).mean(axis=-1)
    flat = np.sqrt(second) <= ROUNDING * np.abs(x).max(axis=-1)
    spread = np.where(flat, 0.0, np.sqrt(second * n / (n - 1)))
    third = (centred**3).mean(axis=-1)
    unbiased = np.sqrt(n * (n - 1)) / (n - 2) if n > 2 else 0.0
    shape = SKEWNESS_WEIGHT * unbiased * np.where(flat, 0.0, third / np.where(flat, 1.0, second) ** 1.5)
    # Below this the transformation is the identity, and its inverse would divide by nothing.
    return mean, spread, np.where(np.abs(shape) < 1e-6, 1e-6, shape), n


def above_chance_p(differences: NDArray[Any]) -> float | None:
    """One-sided p, from the interval itself, that the mean of finite `differences` is not above 0.

    Below 0.025 exactly where the whole interval of `interval_of_means` lies above 0. As that ends at the smallest
    value, the sign test counts where every value is above 0. None below `FEWEST` values.
    """
    x = np.asarray(differences, dtype=np.float64)
    n = len(x)
    if n < FEWEST:
        return None
    tail = float(student.sf(corrected_distance(x) * np.sqrt(n), n - 1))
    signs = 0.5**n if x.min() > 0 else 1.0
    return min(signs, tail * (1 - LEVEL) / (1 - nominal_level(n)))


def interval_of_means(
    means: NDArray[Any], *, counted: str = "images", within: Range = UNBOUNDED, fewest: int = FEWEST
) -> Interval:
    """The mean of one finite value per unit, cut at `within`; no interval below `fewest` values.

    Values that are all equal have an interval of no width, unless they are shares (`SHARE`): these have Wilson's, as
    have shares that are each 0 or 1, that is, a number of units.
    """
    x = np.asarray(means, dtype=np.float64)
    n = len(x)
    if n == 0:
        return Interval(None, None, None, 0, counted)
    value = float(x.mean())
    if n < fewest:
        return Interval(value, None, None, n, counted)
    low, high = _bounds_within(x[None], within)
    return Interval(value, float(low[0]), float(high[0]), n, counted)


def _bounds_within(rows: NDArray[np.float64], within: Range) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The bounds of the mean of each row (k, n), cut at the range; Wilson's for shares that are equal or 0 and 1."""
    low, high = mean_bounds(rows)
    low, high = np.maximum(within[0], low), np.minimum(within[1], high)
    if within == SHARE:
        counted = ((rows == 0) | (rows == 1)).all(axis=-1)
        for at in np.flatnonzero(counted | (np.ptp(rows, axis=-1) == 0)):
            low[at], high[at] = wilson(float(rows[at].sum()), rows.shape[-1])
    return low, high


def intervals_of_groups(
    values: NDArray[Any],
    groups: NDArray[np.intp],
    *,
    within: Range = UNBOUNDED,
    fewest: int = FEWEST,
) -> pd.DataFrame:
    """`interval_of_means` of each group at once: `value`, `low`, `high` and `n`, a row per number from 0 to the last.

    `values` (k,) are one per unit, `groups` (k,) the number of each value's group. NaN values are left out; what
    `interval_of_means` does not give is NaN.
    """
    x, number = np.asarray(values, dtype=np.float64), np.asarray(groups)
    count = int(number.max()) + 1 if len(number) else 0
    x, number = x[~np.isnan(x)], number[~np.isnan(x)]
    order = np.argsort(number, kind="stable")
    x, sizes = x[order], np.bincount(number, minlength=count)
    starts = np.cumsum(sizes) - sizes
    found = {name: np.full(count, np.nan) for name in ("value", "low", "high")}
    for n in np.unique(sizes[sizes > 0]).tolist():
        of = np.flatnonzero(sizes == n)
        rows = x[starts[of][:, None] + np.arange(n)]
        found["value"][of] = rows.mean(axis=-1)
        if n >= fewest:
            found["low"][of], found["high"][of] = _bounds_within(rows, within)
    return pd.DataFrame({**found, "n": sizes})


def mean_over_images(
    values: NDArray[Any], images: NDArray[Any], *, counted: str = "images", within: Range = UNBOUNDED
) -> Interval:
    """The mean over images of each image's mean of `values` (k,), `images` (k,) naming the image of each.

    NaN values are left out; an image with none left does not count. `counted` names the unit where it is another,
    `within` the range of the values where they have one.
    """
    return interval_of_means(image_means(values, images), counted=counted, within=within)


def image_means(values: NDArray[Any], images: NDArray[Any]) -> NDArray[np.float64]:
    """Each image's mean of its values, in the order of the images' ids; images without a value are left out."""
    (means,) = means_of_images(images, values)
    return means[~np.isnan(means)]


def means_of_images(images: NDArray[Any], *columns: NDArray[Any]) -> list[NDArray[np.float64]]:
    """Each image's mean of each column, in the order of the images' ids; NaN where it has no value."""
    codes, names = pd.factorize(np.asarray(images), sort=True)
    means = []
    for column in columns:
        values = np.asarray(column, dtype=np.float64)
        known = ~np.isnan(values)
        count = np.bincount(codes[known], minlength=len(names))
        total = np.bincount(codes[known], values[known], minlength=len(names))
        means.append(np.divide(total, count, out=np.full(len(names), np.nan), where=count > 0))
    return means


def ratio_of_means(amount: NDArray[Any], total: NDArray[Any], *, counted: str = "images") -> Interval:
    """mean(amount) / mean(total) of paired values, one of each per unit, by its linear expansion.

    No value where the mean total is 0, and no interval below `FEWEST_RATIO` units.
    """
    a, t = np.asarray(amount, dtype=np.float64), np.asarray(total, dtype=np.float64)
    if not len(a):
        return Interval(None, None, None, 0, counted)
    whole = float(t.mean())
    if whole == 0:
        return Interval(None, None, None, len(a), counted)
    ratio = float(a.mean() / whole)
    got = interval_of_means(ratio + (a - ratio * t) / whole, counted=counted, fewest=FEWEST_RATIO)
    return Interval(ratio, got.low, got.high, got.n, counted)


def jackknife(statistic: Statistic, n: int, *, within: Range = UNBOUNDED, biased: bool = False) -> Interval:
    """`statistic` of all n images, with the interval of its pseudo-values from leaving out each image in turn.

    `statistic` takes the positions of images and returns a number, or None where it is not defined. The interval is
    cut at `within`, the range of the statistic. There is none below `FEWEST_RATIO` images. Of a `biased` statistic,
    whose expectation over n images is not its value over all, the interval lies about the corrected value and reaches
    to the value itself.
    """
    value = statistic(np.arange(n)) if n else None
    if value is None or n < FEWEST_RATIO:
        return Interval(value, None, None, n)
    left_out = [statistic(np.delete(np.arange(n), index)) for index in range(n)]
    return jackknife_of(value, [one for one in left_out if one is not None], n, within=within, biased=biased)


def jackknife_of(
    value: float,
    left_out: Sequence[float] | NDArray[np.float64],
    n: int,
    *,
    within: Range = UNBOUNDED,
    biased: bool = False,
) -> Interval:
    """As `jackknife`, of a statistic whose values without each of n images are known, as far as they are defined."""
    known = np.asarray(left_out, dtype=np.float64)
    if n < FEWEST_RATIO or len(known) < FEWEST_RATIO:
        return Interval(value, None, None, n)
    # The value printed is the statistic itself; the part of the jackknife that corrects bias moves only the interval.
    bias = (len(known) - 1) * (known.mean() - value) if biased else 0.0
    low, high = mean_bounds(value - bias + (len(known) - 1) * (known.mean() - known))
    ends = (float(low), float(high))
    if biased:
        ends = (min(ends[0], value), max(ends[1], value))
    return Interval(value, max(float(within[0]), ends[0]), min(float(within[1]), ends[1]), n)
