"""Stratified samples: nested, seeded, at least one per stratum, and means whose intervals hold the population's."""

from __future__ import annotations

import numpy as np
import pytest

from core.statistics import interval_of_means
from core.statistics.sampling import allocation, stratified_design, stratified_mean

KEYS = ["a"] * 60 + ["b"] * 30 + ["c"] * 9 + ["d"]


def test_allocation_is_proportional_with_at_least_one_each() -> None:
    assert allocation([60, 30, 9, 1], 20).tolist() == [11, 6, 2, 1]
    assert allocation([60, 30, 9, 1], 3).tolist() == [1, 1, 1, 0]
    assert allocation([2, 1], 9).tolist() == [2, 1]


def test_samples_are_nested_and_follow_the_allocation() -> None:
    design = stratified_design(KEYS, seed=0)
    assert sorted(design.drawn.tolist()) == list(range(100))
    for count in (4, 10, 20, 55):
        assert design.first(count).counts.tolist() == allocation([60, 30, 9, 1], count).tolist()


def test_draw_depends_on_the_seed_and_not_on_the_order_of_names() -> None:
    first = stratified_design(KEYS, seed=0).first(20)
    assert first.drawn.tolist() == stratified_design(KEYS, seed=0).first(20).drawn.tolist()
    assert first.drawn.tolist() != stratified_design(KEYS, seed=1).first(20).drawn.tolist()
    # The first twelve by name would all be among the first positions.
    assert max(at for at in first.drawn if at < 60) > 30


def test_inclusion_probabilities_are_those_of_the_draws() -> None:
    hits = np.zeros(100)
    for seed in range(400):
        hits[stratified_design(KEYS, seed).first(20).drawn] += 1
    design = stratified_design(KEYS, 0).first(20)
    expected = np.empty(100)
    expected[:60], expected[60:90], expected[90:99], expected[99] = 11 / 60, 6 / 30, 2 / 9, 1.0
    assert np.abs(hits / 400 - expected).max() < 0.1
    assert np.sort(np.unique(design.inclusion)).tolist() == pytest.approx([11 / 60, 0.2, 2 / 9, 1.0])
    assert design.weights.mean() == pytest.approx(1.0)


def test_stratified_mean_covers_the_population_and_an_unweighted_one_does_not() -> None:
    random = np.random.default_rng(0)
    level = np.array([{"a": 0.0, "b": 4.0, "c": 8.0, "d": 40.0}[key] for key in KEYS])
    values = level + random.normal(size=100)
    truth, weighted, plain = values.mean(), 0, 0
    for seed in range(200):
        design = stratified_design(KEYS, seed).first(20)
        got = stratified_mean(values[design.drawn], design)
        weighted += got.low is not None and got.high is not None and got.low <= truth <= got.high
        plain += bool(values[design.drawn].mean() < truth + 0.8)
    assert weighted / 200 >= 0.92
    # The image of the smallest stratum counts five times too often where nothing is weighted.
    assert plain / 200 < 0.2


def test_complete_sample_has_no_error_about_its_own_population() -> None:
    values = np.arange(100.0)
    design = stratified_design(KEYS, seed=0)
    got = stratified_mean(values[design.drawn], design)
    assert (got.value, got.low, got.high) == pytest.approx((49.5, 49.5, 49.5))
    # The interval about images like these keeps its width.
    assert interval_of_means(values).low < 45


def test_one_stratum_equals_the_textbook() -> None:
    values = np.array([1.0, 2.0, 4.0, 7.0])
    design = stratified_design(["x"] * 10, seed=0).first(4)
    got = stratified_mean(values, design)
    half = 3.182446 * np.sqrt((1 - 0.4) * values.var(ddof=1) / 4)
    assert (got.value, got.high) == pytest.approx((3.5, 3.5 + half), abs=1e-4)
