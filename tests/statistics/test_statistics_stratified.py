"""Allocation and estimates of stratified samples, against sums by hand and by simulation."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from core.statistics import wilson
from core.statistics.stratified import neyman_allocation, stratified_share


def test_the_allocation_has_the_least_variance_of_all() -> None:
    sizes, spreads, total = (40, 25, 10), (0.3, 0.5, 0.5), 14

    def variance(numbers: tuple[int, ...]) -> float:
        return sum((size * s) ** 2 / n for size, s, n in zip(sizes, spreads, numbers, strict=True))

    every = [n for n in product(range(2, 13), repeat=3) if sum(n) == total and all(np.array(n) <= sizes)]
    best = min(every, key=variance)
    assert neyman_allocation(sizes, spreads, total) == list(best)
    assert variance((10, 2, 2)) > variance(best)


def test_an_allocation_stays_within_its_bounds() -> None:
    assert neyman_allocation([1, 3, 100], [0.5, 0.5, 0.5], 500) == [1, 3, 100]
    assert neyman_allocation([5, 5], [0.5, 0.5], 1) == [2, 2]


def test_the_value_is_that_of_horvitz_and_thompson() -> None:
    hits, drawn, sizes = (3, 5, 1), (4, 10, 2), (8, 50, 20)
    by_hand = sum(hit * size / n for hit, n, size in zip(hits, drawn, sizes, strict=True)) / sum(sizes)
    found = stratified_share(hits, drawn, sizes)
    assert found.value == pytest.approx(by_hand) and found.n == 16
    assert found.low is not None and found.high is not None and found.low < by_hand < found.high
    # The companion: the share of the sample without weights is another value.
    assert found.value != pytest.approx(9 / 16)


def test_a_complete_count_has_no_width_and_an_empty_stratum_no_value() -> None:
    whole = stratified_share((3, 5), (4, 10), (4, 10))
    assert whole.low == whole.value == whole.high == pytest.approx(8 / 14)
    assert stratified_share((3, 0), (4, 0), (4, 10)).value is None
    assert stratified_share((), (), ()).value is None


def test_one_large_stratum_is_nearly_wilsons_interval() -> None:
    found, (low, high) = stratified_share([40], [50], [10**6]), wilson(40, 50)
    assert found.low == pytest.approx(low, abs=0.02) and found.high == pytest.approx(high, abs=0.02)


@pytest.mark.parametrize("shares", [(0.95, 0.5, 0.9), (0.97, 0.97, 0.97), (0.6, 0.3, 0.7)])
def test_the_interval_covers(shares: tuple[float, ...]) -> None:
    random = np.random.default_rng(0)
    sizes = (120, 60, 120)
    numbers = neyman_allocation(sizes, (0.3, 0.5, 0.3), 50)
    covered = narrow = 0
    for _ in range(400):
        population = [random.random(size) < share for size, share in zip(sizes, shares, strict=True)]
        hits = [int(random.choice(p, n, replace=False).sum()) for p, n in zip(population, numbers, strict=True)]
        true = sum(int(p.sum()) for p in population) / sum(sizes)
        found = stratified_share(hits, numbers, sizes)
        assert found.low is not None and found.high is not None and found.value is not None
        covered += found.low <= true <= found.high
        # The companion: a third of the width does not cover.
        narrow += abs(true - found.value) <= (found.high - found.low) / 6
    assert covered / 400 > 0.92 and narrow / 400 < 0.85
