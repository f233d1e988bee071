"""Faithfulness correlation and the additive ceiling on games whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from core.attribution.surrogate import fit
from core.evaluation.correlation import additive_share, faithfulness_correlation, infidelity, sensitivity_n

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
    assert abs(share[1]) < 0.1


@pytest.mark.parametrize("order", [2, 3])
@pytest.mark.parametrize("true", [0.0, 0.25, 0.5, 0.9])
def test_the_additive_share_has_no_bias_at_the_settings_of_an_audit(true: float, order: int) -> None:
    """Random games of 49 cells whose share is known: x in {-1, 1} makes single cells and products orthogonal."""
    random = np.random.default_rng(3)
    corrected, left_out = [], []
    for _ in range(60):
        visible = random.random((128, 7, 7)) < 0.5
        x = np.where(visible.reshape(128, 49), 1.0, -1.0)
        alone, joint = random.normal(size=49), random.normal(size=40)
        cells = np.array([random.choice(49, order, replace=False) for _ in joint])
        scores = np.sqrt(true) * x @ alone / np.linalg.norm(alone)
        scores = scores + np.sqrt(1 - true) * x[:, cells].prod(axis=2) @ joint / np.linalg.norm(joint)
        rows, values = torch.tensor(visible), torch.tensor(0.2 + scores)[:, None]
        corrected.append(additive_share(rows, values)[0])
        left_out.append(float(fit(rows.flatten(1), values).r2[0]))
    assert np.mean(corrected) == pytest.approx(true, abs=0.04)
    if 0 < true < 0.9:
        assert np.mean(left_out) < true - 0.1


def test_a_complement_is_not_a_further_draw() -> None:
    rows = kept(100)
    x = rows.reshape(100, -1)
    pair = (x[:, 0] ^ x[:, 7]).astype(float)
    both = torch.tensor(np.concatenate([rows, ~rows]))
    once = additive_share(torch.tensor(rows), torch.tensor(pair)[:, None])
    assert additive_share(both, torch.tensor(np.concatenate([pair, pair]))[:, None]) == pytest.approx(once)


def test_the_additive_share_is_undefined_for_a_constant_and_for_too_few_coalitions() -> None:
    rows = kept(60)
    scores = torch.tensor(np.stack([np.ones(60), score(rows, weights())], axis=1))
    share = additive_share(torch.tensor(rows), scores)
    assert np.isnan(share[0]) and share[1] == pytest.approx(1)
    assert np.isnan(additive_share(torch.tensor(rows[:35]), scores[:35])).all()


def test_sensitivity_n_is_the_mean_over_sizes_of_literal_correlations() -> None:
    rows, true, other = kept(), weights(), weights(2)
    scores = score(rows, true)
    size = rows.sum(axis=(1, 2))
    literal = []
    for count in sorted(set(size.tolist())):
        same = rows[size == count]
        if len(same) >= 6:
            sums = [(true + other)[~row].sum() for row in same]
            literal.append(np.corrcoef(sums, -scores[size == count])[0, 1])
    assert len(literal) > 5
    got = sensitivity_n(rows, scores, true + other)
    assert got == pytest.approx(np.mean(literal))
    assert got != pytest.approx(literal[0], abs=1e-4)


def test_sensitivity_n_is_one_for_the_true_map_and_about_nothing_for_others() -> None:
    rows, true = kept(), weights()
    scores = score(rows, true)
    assert sensitivity_n(rows, scores, 3 * true + 7) == pytest.approx(1.0)
    assert sensitivity_n(rows, scores, -true) == pytest.approx(-1.0)
    blind = [sensitivity_n(rows, scores, weights(seed)) or 0.0 for seed in range(20, 60)]
    assert abs(np.mean(blind)) < 0.1
    assert max(blind) < 0.9
    assert (sensitivity_n(rows, scores, true[:, ::-1]) or 0) < 0.5
    assert (sensitivity_n(rows, scores, np.resize(true.T, GRID)) or 0) < 0.5


def test_sensitivity_n_needs_enough_coalitions_of_a_size() -> None:
    rows, true = kept(20), weights()
    assert sensitivity_n(rows, score(rows, true), true, least=20) is None
    assert sensitivity_n(rows, score(rows, true), true, least=3) == pytest.approx(1.0)
    assert sensitivity_n(rows, score(rows, true), np.ones(GRID)) is None
    assert sensitivity_n(rows, np.ones(len(rows)), true) is None


def test_infidelity_is_the_literal_share_at_the_best_scale() -> None:
    rows, true = kept(), np.abs(weights())
    scores, full = score(rows, true), 0.2 + true.sum()
    other = np.abs(weights(3))
    falls, sums = full - scores, np.array([other[~row].sum() for row in rows])
    scales = np.linspace(0, 3, 30_001)[:, None]
    literal = (((scales * sums - falls) ** 2).mean(axis=1) / (falls**2).mean()).min()
    assert infidelity(rows, scores, full, other) == pytest.approx(literal, abs=1e-6)
    assert infidelity(rows, scores, full + 1.0, other) != pytest.approx(literal, abs=1e-3)


def test_infidelity_is_nothing_for_the_true_map_and_one_for_a_wrong_sign() -> None:
    rows, true = kept(), np.abs(weights())
    scores, full = score(rows, true), 0.2 + true.sum()
    assert infidelity(rows, scores, full, 5 * true) == pytest.approx(0.0, abs=1e-12)
    assert infidelity(rows, scores, full, -true) == 1.0
    others = [np.abs(weights(seed)) for seed in range(20, 30)] + [true[:, ::-1]]
    assert min(infidelity(rows, scores, full, other) or 0.0 for other in others) > 0.01
    # What the measure can't see through: a level map foretells much, since more hidden cells mean a larger fall.
    near_level = infidelity(rows, scores, full, np.ones(GRID) + 1e-6 * weights(4)) or 1.0
    assert 0.0 < near_level < 0.2
    assert infidelity(rows, scores, full, np.ones(GRID)) is None
    assert infidelity(rows, np.full(len(rows), full), full, true) is None
