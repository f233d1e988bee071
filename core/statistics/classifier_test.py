"""The classifier two-sample test: whether a classifier can distinguish two sets of vectors that it has not seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.deferred import Deferred
from core.statistics.significance import permutation_p
from core.statistics.two_samples import auroc_bounds

rankdata = Deferred("scipy.stats", "rankdata")

FOLDS = 5
# With fewer vectors on a side a fold has hardly any of it.
FEWEST_VECTORS = 15
# The weight of the ridge penalty, for unit vectors less their mean.
RIDGE = 1.0
# Permutations that are scored at a time.
CHUNK = 500

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class TwoSamples:
    """How well two sets of vectors are distinguished by a classifier that has not seen them.

    value: the area under the ROC curve of cross-validated scores, 0.5 where the sets are alike; low, high: Newcombe's
        95 % interval, which takes the scores as independent. None below `FEWEST_VECTORS` on a side.
    p: of a permutation test in which the same classifier is trained on exchanged labels.
    own, others: the vectors of either set.
    """

    value: float | None
    low: float | None
    high: float | None
    p: float | None
    own: int
    others: int

    @property
    def n(self) -> int:
        """The vectors of both sets."""
        return self.own + self.others


def classifier_test(own: NDArray[Any], others: NDArray[Any], seed: int) -> TwoSamples:
    """Kernel ridge regression of the labels, cross-validated (Lopez-Paz and Oquab, 2017, with an area instead of an
    accuracy). The scores are linear in the labels, so that permutations need no new fit.
    """
    if min(len(own), len(others)) < FEWEST_VECTORS:
        return TwoSamples(None, None, None, None, len(own), len(others))
    vectors = np.concatenate([own, others]).astype(np.float64)
    vectors -= vectors.mean(axis=0)
    labels = np.concatenate([np.ones(len(own)), np.zeros(len(others))])
    random = np.random.default_rng(seed)
    matrix = _scorer(vectors @ vectors.T, random)
    value = float(_areas(matrix, labels[:, None])[0])

    def extreme(count: int) -> NDArray[np.bool_]:
        hits = []
        for start in range(0, count, CHUNK):
            drawn = random.permuted(np.tile(labels, (min(CHUNK, count - start), 1)), axis=1)
            hits.append(_areas(matrix, drawn.T) >= value - 1e-12)
        return np.concatenate(hits)

    p = permutation_p(extreme)
    low, high = auroc_bounds(value, len(own), len(others)) or (None, None)
    return TwoSamples(value, low, high, p, len(own), len(others))


def _scorer(kernel: Floats, random: np.random.Generator) -> Floats:
    """The matrix that maps labels to scores of vectors that are left out of the fit."""
    n = len(kernel)
    folds = random.permutation(np.arange(n) % FOLDS)
    matrix = np.zeros((n, n))
    for fold in range(FOLDS):
        test, train = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        inverse = np.linalg.inv(kernel[np.ix_(train, train)] + RIDGE * np.eye(len(train)))
        weights = kernel[np.ix_(test, train)] @ inverse
        # Labels less their mean in the training part.
        matrix[np.ix_(test, train)] = weights - weights.sum(axis=1, keepdims=True) / len(train)
    return matrix


def _areas(matrix: Floats, labels: Floats) -> Floats:
    """The area under the ROC curve for each column of `labels` (n, draws), over all folds together."""
    scores = matrix @ labels
    ranks = rankdata(scores, axis=0)
    own = labels.sum(axis=0)
    area: Floats = ((ranks * labels).sum(axis=0) - own * (own + 1) / 2) / (own * (len(labels) - own))
    return area
