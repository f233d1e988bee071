"""Confidence sequences keep their level however often they are looked at; a fixed-sample interval does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from core.statistics import mean_bounds
from core.statistics.sequences import betting_bounds, betting_p, mixture_bounds, mixture_p

DRAWS, MOST, FIRST = 300, 60, 8
Interval = Callable[[NDArray[Any]], tuple[float, float]]


def misses(interval: Interval, values: Callable[[np.random.Generator, int], NDArray[Any]], mean: float) -> float:
    """The share of draws in which some look, after every fourth value, has an interval without the true mean."""
    random = np.random.default_rng(0)
    count = 0
    for _ in range(DRAWS):
        x = values(random, MOST)
        looks = (interval(x[:n]) for n in range(FIRST, MOST + 1, 4))
        count += any(low > mean or high < mean for low, high in looks)
    return count / DRAWS


def normal(random: np.random.Generator, count: int) -> NDArray[Any]:
    return random.normal(size=count)


def skewed(random: np.random.Generator, count: int) -> NDArray[Any]:
    return random.lognormal(0.0, 0.5, count)


def zeros_and_ones(random: np.random.Generator, count: int) -> NDArray[Any]:
    return (random.random(count) < 0.2).astype(float)


@pytest.mark.parametrize(("values", "mean"), [(normal, 0.0), (skewed, float(np.exp(0.125)))])
def test_mixture_sequence_misses_the_mean_in_at_most_its_share_of_all_looks(values: Any, mean: float) -> None:
    assert misses(lambda x: mixture_bounds(x, 0.05), values, mean) <= 0.08


@pytest.mark.parametrize(("values", "mean"), [(normal, 0.0), (skewed, float(np.exp(0.125)))])
def test_fixed_sample_interval_looked_at_repeatedly_misses_it_far_more_often(values: Any, mean: float) -> None:
    def fixed(x: NDArray[Any]) -> tuple[float, float]:
        low, high = mean_bounds(x)
        return float(low), float(high)

    assert misses(fixed, values, mean) > 0.12


def test_betting_sequence_misses_the_share_in_at_most_its_share_of_all_looks() -> None:
    assert misses(lambda x: betting_bounds(x, 0.05), zeros_and_ones, 0.2) <= 0.05


def test_betting_without_replacement_closes_on_the_mean_of_the_population() -> None:
    random = np.random.default_rng(3)
    population = (random.random(40) < 0.3).astype(float)
    drawn = random.permutation(population)
    low, high = betting_bounds(drawn, 0.05, population=40)
    assert low == pytest.approx(population.mean())
    assert high == pytest.approx(population.mean())
    assert np.ptp(betting_bounds(drawn, 0.05)) > 0.2


def test_p_and_bounds_agree() -> None:
    x = np.random.default_rng(1).normal(0.8, 1.0, 30)
    p = mixture_p(x)
    assert p is not None and p < 0.05
    assert mixture_bounds(x, p)[0] == pytest.approx(0.0, abs=1e-9)
    assert mixture_p(-x) == 1.0
    assert mixture_p(np.ones(1)) is None


def test_p_of_few_equal_values_stays_finite() -> None:
    # Four equal values are no certainty: the ratio has a largest value for each n.
    p = mixture_p(np.full(4, 0.3))
    assert p is not None and 0 < p < 0.1
    assert mixture_bounds(np.arange(3.0), 0.001) == (-np.inf, np.inf)


def test_betting_p_falls_only_where_the_mean_lies_above() -> None:
    assert betting_p(np.ones(30), 0.5) < 0.001
    assert betting_p(np.tile([0.0, 1.0], 15), 0.6) > 0.5
