"""Rank correlations against SciPy and by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from core.statistics import FEWEST_PAIRS, rank_correlation, rank_vector, spearman
from core.statistics.ranks import rank_bounds


@pytest.mark.parametrize("seed", range(4))
def test_the_value_is_that_of_scipy_also_with_ties(seed: int) -> None:
    random = np.random.default_rng(seed)
    a, b = random.integers(0, 5, 30).astype(float), random.normal(size=30)
    assert spearman(a, b) == pytest.approx(spearmanr(a, b).statistic)
    assert spearman(a, -b) == pytest.approx(-(spearman(a, b) or 0.0))
    first, second = rank_vector(a), rank_vector(b)
    assert first is not None
    assert second is not None
    assert first @ second == pytest.approx(spearmanr(a, b).statistic)


def test_a_constant_has_no_order_and_so_no_correlation() -> None:
    line, flat = np.arange(20.0), np.ones(20)
    for a, b in ((line, flat), (flat, line), (flat, flat), (line, np.full(20, np.nan))):
        assert spearman(a, b) is None
        assert rank_correlation(a, b).value is None
        assert rank_correlation(a, b).low is None
    assert rank_vector(flat) is None
    assert spearman(line, line) == pytest.approx(1.0)


def test_few_pairs_have_no_interval_and_a_perfect_order_is_not_certain() -> None:
    line = np.arange(float(FEWEST_PAIRS))
    assert rank_correlation(line[:-1], line[:-1]).low is None
    got = rank_correlation(line, line, counted="methods")
    assert got.counted == "methods"
    assert got.value == pytest.approx(1.0)
    assert got.low is not None
    assert 0.5 < got.low < 1.0


@pytest.mark.parametrize(("strength", "n"), [(0.0, 12), (0.6, 12), (0.6, 24)])
def test_the_interval_covers_the_correlation_nineteen_times_in_twenty(strength: float, n: int) -> None:
    random = np.random.default_rng(n)
    x = random.normal(size=(1500, n))
    y = strength * x + (1 - strength**2) ** 0.5 * random.normal(size=(1500, n))
    # Spearman's correlation of a bivariate normal (Pearson, 1907).
    truth = 6 / np.pi * np.arcsin(strength / 2)
    low, high = rank_bounds(x, y)
    assert 0.93 <= float(((low <= truth) & (truth <= high)).mean()) <= 0.98
    assert float(((low <= truth + 0.6) & (truth + 0.6 <= high)).mean()) < 0.6
