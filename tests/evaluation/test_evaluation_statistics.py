"""Intervals and tests against closed forms and exact enumeration."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.evaluation.statistics import Interval, bootstrap_mean, holm, interval_of_means, sign_flip_p


def test_no_image_gives_no_number_and_one_no_interval() -> None:
    assert interval_of_means(np.array([])) == Interval(None, None, None, 0)
    assert interval_of_means(np.array([0.3])) == Interval(0.3, None, None, 1)
    assert bootstrap_mean(np.array([]), np.array([])) == Interval(None, None, None, 0)
    assert bootstrap_mean(np.array([np.nan, np.nan]), np.array(["a", "b"])) == Interval(None, None, None, 0)
    assert bootstrap_mean(np.array([1.0, 3.0]), np.array(["a", "a"])) == Interval(2.0, None, None, 1)


def test_an_interval_of_equal_values_is_a_point() -> None:
    assert interval_of_means(np.full(5, 0.25)) == Interval(0.25, 0.25, 0.25, 5)


def test_the_interval_has_the_width_of_the_normal_one() -> None:
    values = np.random.default_rng(0).normal(2, 3, 400)
    got = interval_of_means(values, resamples=4000)
    half = 1.96 * values.std() / 20
    assert got.value == pytest.approx(values.mean())
    assert got.low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert got.high == pytest.approx(values.mean() + half, abs=0.1 * half)


def test_the_interval_covers_the_truth_nineteen_times_in_twenty() -> None:
    random = np.random.default_rng(1)
    hits = wrong = 0
    for _ in range(400):
        got = interval_of_means(random.normal(1.0, 1.0, 40), resamples=400)
        assert got.low is not None
        assert got.high is not None
        hits += got.low <= 1.0 <= got.high
        wrong += got.low <= 1.5 <= got.high
    assert 0.90 <= hits / 400 <= 0.98
    # The same count for a mean that isn't the truth is far lower.
    assert wrong / 400 < 0.3


def test_the_image_is_the_unit_and_not_the_pair() -> None:
    random = np.random.default_rng(2)
    means = random.normal(size=12)
    single = bootstrap_mean(means, np.arange(12))
    repeated = bootstrap_mean(np.repeat(means, 30), np.repeat(np.arange(12), 30))
    assert (repeated.value, repeated.low, repeated.high) == pytest.approx((single.value, single.low, single.high))
    assert repeated.n == single.n == 12
    as_if_independent = interval_of_means(np.repeat(means, 30))
    assert as_if_independent.high is not None
    assert as_if_independent.low is not None
    assert single.high is not None
    assert single.low is not None
    assert as_if_independent.high - as_if_independent.low < 0.4 * (single.high - single.low)


def test_every_image_weighs_the_same_and_missing_values_are_left_out() -> None:
    values = np.array([1.0, 1.0, 1.0, 5.0, np.nan, np.nan])
    groups = np.array(["a", "a", "a", "b", "b", "c"])
    got = bootstrap_mean(values, groups)
    assert got.value == 3.0
    assert got.n == 2


def test_the_seed_fixes_the_interval() -> None:
    values = np.random.default_rng(3).normal(size=9)
    assert interval_of_means(values, seed=4) == interval_of_means(values, seed=4)
    assert interval_of_means(values, seed=4) != interval_of_means(values, seed=5)


def test_an_interval_excludes_what_lies_outside() -> None:
    interval = Interval(0.2, 0.1, 0.3, 9)
    assert interval.excludes(0.0)
    assert interval.excludes(0.31)
    assert not interval.excludes(0.1)
    assert not interval.excludes(0.2)
    assert not Interval(0.2, None, None, 1).excludes(5.0)


def test_holm_of_a_known_family() -> None:
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.5, 0.6, 0.01])) == pytest.approx([1.0, 1.0, 0.03])
    assert holm(np.array([0.2])) == pytest.approx([0.2])
    assert holm(np.array([])).shape == (0,)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_lies_between_the_p_value_and_bonferroni_and_keeps_the_order(p_values: list[float]) -> None:
    p = np.array(p_values)
    adjusted = holm(p)
    assert (adjusted >= p - 1e-15).all()
    assert (adjusted <= np.minimum(1, len(p) * p) + 1e-12).all()
    order = np.argsort(p, kind="stable")
    assert (np.diff(adjusted[order]) >= -1e-15).all()


@pytest.mark.parametrize("seed", range(4))
def test_the_sign_flip_test_is_the_exact_one(seed: int) -> None:
    d = np.random.default_rng(seed).normal(0.4, 1, 8)
    flips = np.array(list(product([-1, 1], repeat=8)))
    exact = (np.abs((flips * d).mean(axis=1)) >= abs(d.mean()) - 1e-12).mean()
    got = sign_flip_p(d, resamples=8000)
    assert got is not None
    assert abs(got - exact) < 4 * (exact * (1 - exact) / 8000) ** 0.5 + 1e-3
    assert sign_flip_p(-d, resamples=8000) == got
    assert sign_flip_p(d + 3, resamples=8000) != got


def test_the_sign_flip_test_is_even_where_nothing_differs() -> None:
    random = np.random.default_rng(5)
    values = [sign_flip_p(random.normal(size=15), resamples=300) for _ in range(300)]
    assert 0.01 <= float(np.mean([value is not None and value <= 0.05 for value in values])) <= 0.1
    assert 0.4 <= float(np.mean([value for value in values if value is not None])) <= 0.6


def test_the_sign_flip_test_is_never_0_and_needs_two_images() -> None:
    assert sign_flip_p(np.full(50, 1.0), resamples=100) == pytest.approx(1 / 101)
    assert sign_flip_p(np.zeros(10)) == 1.0
    assert sign_flip_p(np.array([1.0])) is None
    assert sign_flip_p(np.array([])) is None
    assert sign_flip_p(np.array([1.0, np.nan])) is None
