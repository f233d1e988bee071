"""Differences of two sets of images and areas under the curve."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t as student

from core.statistics import auroc_bounds, difference_bounds
from core.statistics.two_samples import FEWEST_EACH, FEWEST_SIDE, excess_bounds


def test_a_difference_has_welchs_interval() -> None:
    random = np.random.default_rng(0)
    a, b = random.normal(1, 1, 9), random.normal(0, 3, 20)
    parts = a.var(ddof=1) / 9, b.var(ddof=1) / 20
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / 8 + parts[1] ** 2 / 19)
    half = student.ppf(0.975, freedom) * sum(parts) ** 0.5
    gap = a.mean() - b.mean()
    assert difference_bounds(a, b) == pytest.approx((gap - half, gap + half))
    turned = difference_bounds(b, a)
    assert turned == pytest.approx((-gap - half, -gap + half))
    assert difference_bounds(a[: FEWEST_EACH - 1], b) is None
    assert difference_bounds(np.ones(8), np.zeros(8)) == (1.0, 1.0)


def test_an_excess_is_a_difference_over_what_whole_images_have() -> None:
    random = np.random.default_rng(1)
    a, b = random.normal(1, 0.3, 12), random.normal(0.2, 0.3, 15)
    twos = excess_bounds(a, np.full(12, 2.0), b)
    plain = difference_bounds(a / 2, b / 2)
    assert twos == pytest.approx(plain)
    assert excess_bounds(a, random.gamma(2, size=12), b) != pytest.approx(plain)
    assert excess_bounds(a, np.zeros(12), b) is None
    assert excess_bounds(a[:7], np.ones(7), b) is None


def test_an_excess_covers_the_truth() -> None:
    random = np.random.default_rng(2)
    hits = wrong = 0
    for _ in range(500):
        total = random.gamma(4.0, size=10)
        got = excess_bounds(0.4 * total + random.normal(0, 0.3, 10), total, random.normal(0.4, 0.5, 20))
        assert got is not None
        hits += got[0] <= 0.3 <= got[1]
        wrong += got[0] <= 0.6 <= got[1]
    assert 0.92 <= hits / 500 <= 0.98
    assert wrong / 500 < 0.3


def test_an_area_solves_newcombes_equation_and_has_width_where_nothing_overlaps() -> None:
    got = auroc_bounds(0.8, 12, 20)
    assert got is not None
    for theta in got:
        inner = 1 + 15 * ((1 - theta) / (2 - theta) + theta / (1 + theta))
        assert abs(0.8 - theta) == pytest.approx(1.959964 * (theta * (1 - theta) * inner / 240) ** 0.5, rel=1e-5)
    assert got[0] < 0.8 < got[1]
    perfect, none = auroc_bounds(1.0, 10, 10), auroc_bounds(0.0, 10, 10)
    assert perfect is not None
    assert none is not None
    assert perfect[1] == 1.0
    assert 0.7 < perfect[0] < 0.9
    assert none == pytest.approx((0.0, 1 - perfect[0]), abs=1e-6)
    assert auroc_bounds(0.8, FEWEST_SIDE - 1, 20) is None


def test_an_area_is_covered_nineteen_times_in_twenty() -> None:
    random = np.random.default_rng(3)
    hits = wrong = 0
    for _ in range(500):
        a, b = random.normal(1.0, 1, 15), random.normal(0, 1, 25)
        bounds = auroc_bounds(float((a[:, None] > b[None, :]).mean()), 15, 25)
        assert bounds is not None
        hits += bounds[0] <= 0.76025 <= bounds[1]
        wrong += bounds[0] <= 0.5 <= bounds[1]
    assert 0.92 <= hits / 500 <= 0.98
    assert wrong / 500 < 0.3
