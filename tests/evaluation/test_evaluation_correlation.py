"""Faithfulness correlation and the additive ceiling on games whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from core.evaluation.correlation import additive_share, faithfulness_correlation

GRID = (5, 6)


def kept(count: int = 300, seed: int = 0) -> NDArray[np.bool_]:
    return np.random.default_rng(seed).random((count, *GRID)) < 0.5


def weights(seed: int = 1) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=GRID)


def score(rows: NDArray[np.bool_], values: NDArray[np.float64]) -> NDArray[np.float64]:
    return 0.2 + rows.reshape(len(rows), -1) @ values.ravel()


def literal(rows: NDArray[np.bool_], scores: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """The partial correlation from the residuals of two regressions on the number of cells in view."""
    size = rows.sum(axis=(1, 2)).astype(float)
    in_view = np.array([values[row].sum() for row in rows])
    left, right = (vector - np.polyval(np.polyfit(size, vector, 1), size) for vector in (scores, in_view))
    return float(np.corrcoef(left, right)[0, 1])


def test_it_is_the_partial_correlation() -> None:
    rows, true, other = kept(), weights(), weights(2)
    got = faithfulness_correlation(rows, score(rows, true), true + other)
    assert got == pytest.approx(literal(rows, score(rows, true), true + other), abs=1e-9)
    assert got != pytest.approx(literal(rows, score(rows, true), other), abs=1e-2)


def test_the_true_map_is_perfect_and_others_are_not() -> None:
    rows, true = kept(), weights()
    scores = score(rows, true)
    assert faithfulness_correlation(rows, scores, true) == pytest.approx(1.0)
    assert faithfulness_correlation(rows, scores, -true) == pytest.approx(-1.0)
    assert faithfulness_correlation(rows, scores, 3 * true + 7) == pytest.approx(1.0)
    assert abs(faithfulness_correlation(rows, scores, weights(9)) or 0) < 0.5
    assert (faithfulness_correlation(rows, scores, true[:, ::-1]) or 0) < 0.5


def test_a_constant_map_or_score_is_undefined() -> None:
    rows, true = kept(), weights()
    assert faithfulness_correlation(rows, score(rows, true), np.ones((3, 3))) is None
    assert faithfulness_correlation(rows, np.ones(len(rows)), true) is None


def test_a_map_of_another_grid_is_brought_to_the_cells() -> None:
    rows, true = kept(), weights()
    fine = np.kron(true, np.ones((2, 3)))
    assert faithfulness_correlation(rows, score(rows, true), fine) == pytest.approx(1.0)


def test_the_ceiling_is_one_for_a_sum_and_low_for_what_no_sum_can_say() -> None:
    rows = kept(600)
    pair = (rows[:, 0, 0] ^ rows[:, 1, 1]).astype(float)
    scores = torch.tensor(np.stack([score(rows, weights()), pair], axis=1))
    share = additive_share(torch.tensor(rows), scores)
    assert share[0] > 0.999
    assert share[1] < 0.05
