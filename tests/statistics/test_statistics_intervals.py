"""Intervals of means, ratios and jackknifed statistics against closed forms, a second implementation and simulation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import skew
from scipy.stats import t as student

from core.statistics import (
    FEWEST,
    Interval,
    above_zero_p,
    interval_of_means,
    intervals_of_groups,
    jackknife,
    mean_bounds,
    mean_over_images,
    ratio_of_means,
)
from core.statistics.intervals import CORRELATION, FEWEST_RATIO, SKEWNESS_WEIGHT, above_chance_p, nominal_level

Bounds = tuple[NDArray[np.float64], NDArray[np.float64]]


def test_no_image_gives_no_number_and_too_few_no_interval() -> None:
    assert interval_of_means(np.array([])) == Interval(None, None, None, 0)
    assert interval_of_means(np.array([0.3])) == Interval(0.3, None, None, 1)
    assert mean_over_images(np.array([]), np.array([])) == Interval(None, None, None, 0)
    assert mean_over_images(np.array([np.nan, np.nan]), np.array(["a", "b"])) == Interval(None, None, None, 0)
    assert mean_over_images(np.array([1.0, 3.0]), np.array(["a", "a"])) == Interval(2.0, None, None, 1)
    values = np.arange(FEWEST, dtype=float)
    assert interval_of_means(values[:-1]).low is None
    assert interval_of_means(values).low is not None


def test_an_interval_of_equal_values_is_a_point() -> None:
    assert interval_of_means(np.full(7, 0.25)) == Interval(0.25, 0.25, 0.25, 7)
    assert interval_of_means(np.zeros(7)) == Interval(0.0, 0.0, 0.0, 7)
    low, high = mean_bounds(np.array([0.1] * 4 + [0.1000001]))
    assert low <= 0.1 < high


def second(values: NDArray[np.float64]) -> tuple[float, float]:
    """Hall's interval by finding the means at which the transformed t reaches its quantile, within the values."""
    n = len(values)
    shape = SKEWNESS_WEIGHT * float(skew(values, bias=False))
    reach = float(student.ppf((1 + nominal_level(n)) / 2, n - 1)) / n**0.5

    def transformed(mean: float) -> float:
        t = (values.mean() - mean) / values.std(ddof=1)
        return float(t + shape * t**2 / 3 + shape**2 * t**3 / 27 + shape / (6 * n))

    far = 500 * values.std()
    ends = [brentq(lambda m, goal=goal: transformed(m) - goal, values.mean() - far, values.mean() + far, xtol=1e-13)
            for goal in (reach, -reach)]  # fmt: skip
    return max(float(ends[0]), values.min()), min(float(ends[1]), values.max())


@pytest.mark.parametrize("n", [7, 12, 40])
def test_the_bounds_are_those_of_a_second_implementation(n: int) -> None:
    values = np.random.default_rng(n).exponential(size=n)
    got = mean_bounds(values)
    assert got == pytest.approx(second(values), rel=1e-7)
    # Skewed the other way they are others, and so are those of Student's t.
    assert mean_bounds(-values)[1] == pytest.approx(-got[0])
    half = float(student.ppf(0.975, n - 1)) * values.std(ddof=1) / n**0.5
    assert got[1] - values.mean() > 1.02 * half


def test_values_without_skewness_have_the_interval_of_student() -> None:
    values = np.array([-3.0, -1.0, 1.0, 3.0, -2.0, 2.0])
    half = student.ppf((1 + nominal_level(6)) / 2, 5) * values.std(ddof=1) / 6**0.5
    assert mean_bounds(values) == pytest.approx((-half, half), rel=1e-5)


def test_many_rows_at_once_are_those_rows_one_by_one() -> None:
    rows = np.random.default_rng(5).lognormal(size=(7, 9))
    rows[3] = 2.0
    low, high = mean_bounds(rows)
    for at, row in enumerate(rows):
        assert (low[at], high[at]) == pytest.approx(mean_bounds(row))


SHAPES: dict[str, tuple[Callable[[np.random.Generator, tuple[int, int]], NDArray[np.float64]], float]] = {
    "normal": (lambda random, size: random.normal(size=size), 0.0),
    "exponential": (lambda random, size: random.exponential(size=size), 1.0),
    "t with 3 df": (lambda random, size: random.standard_t(3, size=size), 0.0),
}


def percentile(values: NDArray[np.float64]) -> Bounds:
    """The interval that was used before."""
    n = values.shape[1]
    weights = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=300) / n
    low, high = np.quantile(values @ weights.T, [0.025, 0.975], axis=1)
    return low, high


def covered(bounds: Callable[[NDArray[np.float64]], Bounds], shape: str, n: int, draws: int = 3000) -> float:
    draw, mean = SHAPES[shape]
    low, high = bounds(draw(np.random.default_rng(n), (draws, n)))
    return float(((low <= mean) & (mean <= high)).mean())


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("n", [7, 8, 12, 24])
def test_the_interval_covers_the_mean_nineteen_times_in_twenty(shape: str, n: int) -> None:
    # 3,000 draws leave a standard error of 0.4 points; the full table stands in docs/statistics.md.
    assert 0.92 <= covered(mean_bounds, shape, n) <= 0.98
    if n < 12:
        assert covered(percentile, shape, n) < 0.92


def test_the_image_is_the_unit_and_not_the_pair() -> None:
    means = np.random.default_rng(2).normal(size=12)
    single = mean_over_images(means, np.arange(12))
    repeated = mean_over_images(np.repeat(means, 30), np.repeat(np.arange(12), 30))
    assert (repeated.value, repeated.low, repeated.high) == pytest.approx((single.value, single.low, single.high))
    assert repeated.n == single.n == 12
    as_if_independent = interval_of_means(np.repeat(means, 30))
    assert None not in (as_if_independent.low, single.low)
    width = [float(one.high or 0) - float(one.low or 0) for one in (as_if_independent, single)]
    assert width[0] < 0.4 * width[1]


def test_every_image_weighs_the_same_and_missing_values_are_left_out() -> None:
    values = np.array([1.0, 1.0, 1.0, 5.0, np.nan, np.nan])
    got = mean_over_images(values, np.array(["a", "a", "a", "b", "b", "c"]), counted="texts")
    assert (got.value, got.n, got.counted) == (3.0, 2, "texts")


def test_an_interval_is_cut_at_the_range_of_its_quantity() -> None:
    # Linear parts of a ratio may lie outside the range of the ratio itself.
    values = np.array([0.9, 1.3, 0.8, 1.2, 0.9, 0.7, 1.1, 0.2])
    got = interval_of_means(values, within=CORRELATION)
    assert got.high == 1.0
    assert (interval_of_means(values).high or 0.0) > 1.0
    assert got.low == interval_of_means(values).low


@pytest.mark.parametrize("n", [FEWEST, 8, 12, 60])
def test_no_interval_reaches_beyond_the_values(n: int) -> None:
    """The first report printed 3.48 [1.88, 10.0] of four values, none of which was above 6."""
    random = np.random.default_rng(n)
    cut = 0
    for draw in (random.exponential, random.standard_t, random.lognormal):
        rows = draw(*((2.0,) if draw == random.standard_t else ()), size=(200, n))
        low, high = mean_bounds(rows)
        assert (rows.min(axis=1) <= low).all() and (high <= rows.max(axis=1)).all()
        assert (low <= rows.mean(axis=1)).all() and (rows.mean(axis=1) <= high).all()
        cut += int((high == rows.max(axis=1)).sum())
    # Uncut, some would: always with few values, hardly ever with many.
    assert (cut > 60) == (n < 12)


def test_below_the_smallest_n_no_interval_within_the_values_can_cover_enough() -> None:
    # The mean lies among n exponential values only so often; an interval inside them cannot cover it more.
    inside = [1 - (1 - np.exp(-1)) ** n - np.exp(-n) for n in (FEWEST - 1, FEWEST)]
    assert inside[0] < 0.935 < 0.95 < inside[1]


def test_an_interval_excludes_what_lies_outside() -> None:
    interval = Interval(0.2, 0.1, 0.3, 9)
    assert interval.excludes(0.0)
    assert interval.excludes(0.31)
    assert not interval.excludes(0.1)
    assert not interval.excludes(0.2)
    assert not Interval(0.2, None, None, 1).excludes(5.0)


# -- ratios and jackknifed statistics ------------------------------------------------------------------------------


def test_a_ratio_is_one_of_means_and_covers_the_truth() -> None:
    random = np.random.default_rng(3)
    hits = wrong = 0
    for _ in range(600):
        total = random.gamma(4.0, size=12)
        got = ratio_of_means(0.3 * total + random.normal(0, 0.5, 12), total)
        assert got.low is not None
        assert got.high is not None
        hits += got.low <= 0.3 <= got.high
        wrong += got.low <= 0.5 <= got.high
    assert 0.92 <= hits / 600 <= 0.98
    assert wrong / 600 < 0.3


def test_a_ratio_is_exact_where_it_is_constant_and_none_where_it_is_not_defined() -> None:
    total = np.arange(1.0, 11.0)
    assert ratio_of_means(0.4 * total, total) == Interval(*[pytest.approx(0.4)] * 3, 10)
    assert ratio_of_means(total, np.zeros(10)) == Interval(None, None, None, 10)
    assert ratio_of_means(np.array([]), np.array([])) == Interval(None, None, None, 0)
    assert ratio_of_means(total[: FEWEST_RATIO - 1], total[: FEWEST_RATIO - 1]).low is None
    # A total of ones leaves the interval of the mean.
    values = np.random.default_rng(0).normal(size=10)
    assert ratio_of_means(values, np.ones(10)) == interval_of_means(values)


def test_the_jackknife_of_a_mean_is_the_interval_of_the_mean() -> None:
    values = np.random.default_rng(1).random(30)
    got, plain = jackknife(lambda at: float(values[at].mean()), 30), interval_of_means(values)
    assert (got.value, got.low, got.high) == pytest.approx((plain.value, plain.low, plain.high))
    # Of another statistic it is another.
    spread = jackknife(lambda at: float(values[at].std()), 30)
    assert spread.value == pytest.approx(values.std())
    assert spread.low != pytest.approx(plain.low)


def test_the_jackknife_covers_a_statistic_that_is_not_a_mean() -> None:
    random = np.random.default_rng(4)
    hits = 0
    for _ in range(200):
        x = random.gamma(2.0, size=(40, 2))
        got = jackknife(lambda at, x=x: float(x[at, 0].sum() / x[at].sum()), 40, within=(0.0, 1.0))
        hits += (got.low or 0.0) <= 0.5 <= (got.high or 0.0)
    assert 0.91 <= hits / 200 <= 0.99


def test_the_jackknife_needs_enough_images_and_a_statistic() -> None:
    assert jackknife(lambda at: 1.0, FEWEST_RATIO - 1) == Interval(1.0, None, None, FEWEST_RATIO - 1)
    assert jackknife(lambda at: None, 20) == Interval(None, None, None, 20)
    assert jackknife(lambda at: 1.0, 0) == Interval(None, None, None, 0)
    assert jackknife(lambda at: 1.0 if len(at) == 9 else None, 9) == Interval(1.0, None, None, 9)


def test_the_intervals_of_many_groups_are_those_of_each() -> None:
    random = np.random.default_rng(2)
    sizes = [1, 0, 3, FEWEST, 12, 12, 40, 12]
    groups = random.permutation(np.repeat(np.arange(len(sizes)), sizes))
    values = random.exponential(size=len(groups))
    values[groups == 5] = 0.25
    values[np.flatnonzero(groups == 7)[:2]] = np.nan
    got = intervals_of_groups(values, groups, within=(0.0, 1.4))
    assert len(got) == len(sizes)
    for at, row in enumerate(got.itertuples()):
        of = values[(groups == at) & ~np.isnan(values)]
        one = interval_of_means(of, within=(0.0, 1.4))
        assert row.n == one.n == len(of)
        told = (one.value, one.low, one.high)
        assert [row.value, row.low, row.high] == pytest.approx(
            [np.nan if value is None else value for value in told], abs=1e-12, nan_ok=True
        )
    assert not np.allclose(got.low, intervals_of_groups(-values, groups).low, equal_nan=True)
    assert intervals_of_groups(np.array([]), np.array([], dtype=np.intp)).empty


def test_a_p_of_the_interval_is_significant_exactly_where_the_interval_lies_above_zero() -> None:
    random = np.random.default_rng(4)
    seen = set()
    for n in (7, 8, 12, 40):
        for _ in range(200):
            values = random.exponential(size=n) * random.choice((-1, 1)) + random.uniform(-1, 2)
            p, low = above_chance_p(values), interval_of_means(values).low
            assert p is not None and low is not None and (p < 0.025) == (low > 0)
            seen.add((p < 0.025, (above_zero_p(values) or 0.0) < 0.025))
    # Student's t does not agree with the interval everywhere.
    assert len(seen) > 2
    assert above_chance_p(np.arange(1.0, FEWEST)) is None
    assert above_chance_p(np.full(7, 0.2)) == 0.0 and above_chance_p(np.full(7, -0.2)) == 1.0
