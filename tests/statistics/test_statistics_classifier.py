"""The classifier two-sample test: level, power, and the same areas as a plain refit."""

from __future__ import annotations

import numpy as np
import pytest

from core.statistics import classifier_test as module
from core.statistics.classifier_test import FEWEST_VECTORS, FOLDS, RIDGE, classifier_test


def vectors(seed: int, n: int, shift: float = 0.0) -> np.ndarray:
    random = np.random.default_rng(seed)
    drawn = random.normal(size=(n, 24))
    drawn[:, 0] += shift
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def test_sets_that_differ_are_distinguished_and_alike_ones_are_not() -> None:
    apart = classifier_test(vectors(0, 40, 3.0), vectors(1, 50), 0)
    assert apart.value is not None and apart.value > 0.85 and apart.p is not None and apart.p < 0.001
    assert apart.low is not None and apart.low > 0.75 and apart.n == 90
    few = classifier_test(vectors(0, FEWEST_VECTORS - 1), vectors(1, 50), 0)
    assert few.value is few.low is few.p is None


def test_the_level_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "permutation_p", lambda extreme: (1 + extreme(199).sum()) / 200)
    p = np.array([classifier_test(vectors(seed, 30), vectors(1000 + seed, 30), seed).p for seed in range(200)])
    assert (p < 0.05).mean() < 0.10 and 0.4 < p.mean() < 0.6


def test_a_score_is_that_of_a_plain_fit_without_its_fold() -> None:
    own, others = vectors(0, 20, 1.0), vectors(1, 25)
    both = np.concatenate([own, others])
    both -= both.mean(axis=0)
    labels = np.concatenate([np.ones(20), np.zeros(25)])
    matrix = module._scorer(both @ both.T, np.random.default_rng(0))
    folds = np.random.default_rng(0).permutation(np.arange(45) % FOLDS)
    scores = np.empty(45)
    for fold in range(FOLDS):
        train, test = both[folds != fold], both[folds == fold]
        centred = labels[folds != fold] - labels[folds != fold].mean()
        weights = np.linalg.solve(train.T @ train + RIDGE * np.eye(24), train.T @ centred)
        scores[folds == fold] = test @ weights
    np.testing.assert_allclose(matrix @ labels, scores, atol=1e-9)
    # The companion: with a fold of its own training vectors the scores are others.
    assert np.abs((both @ both.T) @ labels - scores).max() > 0.1
