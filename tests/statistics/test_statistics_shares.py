"""Shares: Wilson's interval against its formula and the binomial distribution."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from core.statistics import Interval, interval_of_means, share_of_images, wilson
from core.statistics.intervals import CORRELATION, SHARE, intervals_of_groups


@pytest.mark.parametrize(("hits", "n"), [(0, 12), (1, 12), (6, 12), (12, 12), (3, 100), (0, 1)])
def test_wilson_is_the_formula_of_1927(hits: int, n: int) -> None:
    z, share = 1.959963984540054, hits / n
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    assert wilson(hits, n) == pytest.approx((max(middle - half, 0.0), min(middle + half, 1.0)), abs=1e-9)


def test_none_of_twelve_is_not_shown_to_be_none() -> None:
    got = share_of_images(np.zeros(12), np.arange(12))
    assert got.low == got.value == 0.0
    assert got.high == pytest.approx(0.2425, abs=1e-4)
    # The interval of a mean would be a point.
    assert interval_of_means(np.zeros(12)).high == 0.0
    assert share_of_images(np.ones(12), np.arange(12)).low == pytest.approx(1 - 0.2425, abs=1e-4)


def test_wilson_covers_nineteen_times_in_twenty_on_average() -> None:
    for n in (4, 12, 24):
        found = []
        for share in np.linspace(0.02, 0.98, 97):
            weights = binom.pmf(np.arange(n + 1), n, share)
            inside = [low <= share <= high for low, high in (wilson(hits, n) for hits in range(n + 1))]
            found.append(float(weights @ np.array(inside, dtype=float)))
        assert 0.93 <= np.mean(found) <= 0.97
        # Without the interval's width nothing is covered.
        assert np.mean([binom.pmf(round(share * n), n, share) for share in (0.1, 0.5)]) < 0.6


def test_parts_of_images_lie_between_whole_ones() -> None:
    got = share_of_images(np.array([1.0, 0.0, 1.0, 0.0, 0.0]), np.array(["a", "a", "b", "c", "d"]))
    assert (got.value, got.n) == (0.375, 4)
    low, high = wilson(1.5, 4)
    assert (got.low, got.high) == (low, high)
    assert wilson(1, 4)[0] < low < wilson(2, 4)[0]
    assert wilson(1, 4)[1] < high < wilson(2, 4)[1]


def test_a_share_of_nothing_is_nothing() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    assert share_of_images(np.array([]), np.array([])) == Interval(None, None, None, 0)
    assert share_of_images(np.array([np.nan]), np.array(["a"]), counted="texts") == Interval(
        None, None, None, 0, "texts"
    )


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_equal_shares_have_the_width_of_a_share_and_other_equal_values_none(share: float) -> None:
    values = np.full(12, share)
    got = interval_of_means(values, within=SHARE)
    assert (got.low, got.high) == pytest.approx(wilson(12 * share, 12)) and got.high - got.low > 0.2
    free = interval_of_means(values, within=CORRELATION)
    assert free.low == free.high == share
    groups = intervals_of_groups(np.concatenate([values, [0.1] * 6 + [0.3] * 6]), np.repeat([0, 1], 12), within=SHARE)
    assert (groups.low[0], groups.high[0]) == pytest.approx((got.low, got.high))
    mixed = interval_of_means(np.array([0.1] * 6 + [0.3] * 6), within=SHARE)
    assert (groups.low[1], groups.high[1]) == pytest.approx((mixed.low, mixed.high)) and mixed.high < 0.3


def test_a_share_of_units_that_do_or_do_not_is_wilson_s_and_one_of_parts_is_not() -> None:
    whole = np.array([1.0] * 3 + [0.0] * 9)
    got = interval_of_means(whole, within=SHARE)
    assert (got.low, got.high) == pytest.approx(wilson(3, 12))
    assert interval_of_means(whole, within=CORRELATION).low != pytest.approx(wilson(3, 12)[0], abs=1e-3)
    parts = np.array([0.9] * 3 + [0.1] * 9)
    assert interval_of_means(parts, within=SHARE).low != pytest.approx(wilson(parts.sum(), 12)[0], abs=1e-3)
