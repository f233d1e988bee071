"""Agreement of maps against scipy and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from core.evaluation.agreement import (
    COMMON_SIDE,
    common_grid,
    consensus,
    top_overlap,
    unrelated,
)
from core.statistics import rank_vector, spearman

VALUES = st.floats(-100, 100, width=32)


@settings(max_examples=100, deadline=None)
@given(arrays(np.float64, (4, 5), elements=VALUES), arrays(np.float64, (4, 5), elements=VALUES))
def test_rank_correlation_is_scipy_s(a: np.ndarray, b: np.ndarray) -> None:
    got = spearman(a, b)
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        assert got is None
    else:
        assert got == pytest.approx(stats.spearmanr(a.ravel(), b.ravel()).statistic, abs=1e-12)
        assert got == spearman(b, a)


def test_rank_correlation_of_clear_cases() -> None:
    a = np.random.default_rng(0).normal(size=(6, 6))
    assert spearman(a, a) == pytest.approx(1)
    assert spearman(a, -a) == pytest.approx(-1)
    assert spearman(a, np.exp(3 * a)) == pytest.approx(1)
    other = spearman(a, a.T)
    assert other is not None
    assert other < 0.9


@pytest.mark.parametrize("bad", [np.ones((3, 3)), np.full((3, 3), np.nan), np.array([[np.inf, 1, 2]] * 3)])
def test_rank_correlation_with_nothing_to_rank_is_undefined(bad: np.ndarray) -> None:
    good = np.arange(9.0).reshape(3, 3)
    assert spearman(good, bad) is None
    assert spearman(bad, good) is None


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 30), st.integers(0, 1000))
def test_the_common_grid_keeps_the_mean_and_the_bounds(rows: int, columns: int, side: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=(rows, columns))
    grid = common_grid(values, side)
    assert grid.shape == (side, side)
    assert grid.mean() == pytest.approx(values.mean(), abs=1e-9)
    assert values.min() - 1e-9 <= grid.min()
    assert grid.max() <= values.max() + 1e-9


def test_the_common_grid_averages_and_enlarges_in_place() -> None:
    values = np.arange(12.0).reshape(3, 4)
    assert np.allclose(common_grid(np.kron(values, np.ones((4, 3))), 12), np.kron(values, np.ones((4, 3))))
    large = np.kron(np.arange(4.0).reshape(2, 2), np.ones((7, 7)))
    assert np.allclose(common_grid(np.arange(4.0).reshape(2, 2)), large)
    assert np.allclose(common_grid(np.kron(large, np.ones((3, 3)))), large)
    assert not np.allclose(common_grid(np.arange(4.0).reshape(2, 2).T), large)
    # 3 cells onto 2: each new cell takes one whole old cell and half of the middle one.
    assert np.allclose(
        common_grid(np.array([[1.0], [2.0], [6.0]]), 2)[:, 0], [(1 + 0.5 * 2) / 1.5, (0.5 * 2 + 6) / 1.5]
    )


def test_overlap_of_the_best_cells() -> None:
    a = np.arange(100.0).reshape(10, 10)
    assert top_overlap(a, a) == 1
    assert top_overlap(a, -a) == 0
    shifted = np.roll(a.ravel(), 10).reshape(10, 10)  # the best 20 now lie ten further on, half of them wrapped round
    assert top_overlap(a, shifted) == pytest.approx(10 / 30)
    assert top_overlap(a, a, share=1.0) == 1
    assert top_overlap(a, shifted, share=0.001) == 0
    assert top_overlap(a, np.zeros((10, 10))) is None
    assert top_overlap(np.zeros((10, 10)), a) is None


def test_consensus_is_the_mean_of_ranks() -> None:
    random = np.random.default_rng(0)
    maps = [random.normal(size=(COMMON_SIDE, COMMON_SIDE)) for _ in range(3)]
    mean, spread = consensus(maps)
    ranks = np.stack([(stats.rankdata(values) - 1).reshape(values.shape) / (values.size - 1) for values in maps])
    assert np.allclose(mean, ranks.mean(axis=0))
    assert np.allclose(spread, ranks.std(axis=0))
    assert 0 <= mean.min() <= mean.max() <= 1


def test_consensus_ignores_scale_and_sees_sign() -> None:
    values = np.random.default_rng(1).normal(size=(7, 7))
    mean, spread = consensus([values, 100 * values + 5, np.exp(values)])
    assert spread.max() < 0.05
    assert spearman(mean, common_grid(values)) == pytest.approx(1, abs=0.02)
    against, wide = consensus([values, -values])
    assert np.allclose(against, 0.5)
    assert wide.max() > 0.4


def test_consensus_of_flat_maps_is_a_number() -> None:
    mean, spread = consensus([np.ones((3, 3)), np.zeros((5, 5))])
    assert np.allclose(mean, 0.5)
    assert np.allclose(spread, 0)


def stacked(maps: list[np.ndarray]) -> np.ndarray:
    return np.stack([vector for values in maps if (vector := rank_vector(values)) is not None])


def test_rank_vectors_multiply_to_spearman() -> None:
    random = np.random.default_rng(0)
    a, b = random.integers(0, 5, (6, 7)).astype(float), random.normal(size=(6, 7))
    x, y = rank_vector(a), rank_vector(b)
    assert x is not None and y is not None
    assert float(x @ y) == pytest.approx(spearman(a, b))
    assert rank_vector(np.ones((3, 3))) is None


def test_unrelated_maps_correlate_by_what_the_methods_share_whatever_is_shown() -> None:
    random = np.random.default_rng(1)
    middle = np.exp(-((np.linspace(-1, 1, 14)[:, None] ** 2) + np.linspace(-1, 1, 14) ** 2))
    own = [random.normal(size=(14, 14)) for _ in range(12)]
    # Two methods that say the same of each image, and two that only both like the middle.
    same, also = stacked(own), stacked([values + 0.3 * random.normal(size=(14, 14)) for values in own])
    habit = [stacked([middle + 0.1 * random.normal(size=(14, 14)) for _ in own]) for _ in range(2)]
    told, bound = unrelated(same, also) or (9.0, 9.0)
    assert abs(told) < 0.05 and bound < 0.1
    assert float(np.mean(np.sum(same * also, axis=1))) > 0.8
    told, bound = unrelated(*habit) or (0.0, 0.0)
    assert told > 0.6
    assert abs(float(np.mean(np.sum(habit[0] * habit[1], axis=1))) - told) < 0.05
    pairs = [float(same[i] @ also[j]) for i in range(12) for j in range(12) if i != j]
    assert (unrelated(same, also) or (9.0, 9.0))[0] == pytest.approx(np.mean(pairs))
    with_own = float((same @ also.T).mean())
    assert with_own != pytest.approx(np.mean(pairs), abs=0.02)


def test_unrelated_never_pairs_a_image_with_itself_and_needs_three() -> None:
    eye = np.eye(5)
    assert unrelated(eye, eye) == (0.0, 0.0)
    assert unrelated(eye[:2], eye[:2]) is None
    again = np.random.default_rng(2).normal(size=(6, 9))
    assert unrelated(again, again, seed=4) == unrelated(again, again, seed=4)
