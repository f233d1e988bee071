"""Faithfulness correlation and its ceiling, on coalitions that the methods have embedded already.

Correlation (Bhatt, Weller, Moura, IJCAI 2020): over random coalitions, does the share of a map that stays in view go
with the score? The ceiling is the share of the score's variance that *any* sum over cells explains.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from core.attribution.surrogate import fit
from core.evaluation.agreement import common_grid


def faithfulness_correlation(
    kept: NDArray[np.bool_], scores: NDArray[np.floating], values: NDArray[np.floating]
) -> float | None:
    """Correlation, over coalitions `(coalitions, rows, columns)`, of the score and the sum of the map in view.

    The map is brought to the coalitions' cells first. How many cells are in view is taken out of both (a partial
    correlation): it raises score and sum for any map. None (undefined) if the map or the score is constant.
    """
    grid = common_grid(values, (kept.shape[1], kept.shape[2]))
    in_view = kept.reshape(len(kept), -1).astype(float) @ grid.ravel()
    size = kept.reshape(len(kept), -1).mean(axis=1)
    left = _without(np.asarray(scores, dtype=float), size)
    right = _without(in_view, size)
    spread = np.sqrt((left @ left) * (right @ right))
    if np.ptp(grid) == 0 or spread < 1e-12:
        return None
    return float(left @ right / spread)


def additive_share(kept: Tensor, scores: Tensor) -> NDArray[np.float64]:
    """For each text the share of the score's variance over coalitions that a sum over cells explains, `(texts,)`.

    `scores` `(coalitions, texts)`. Left-one-out, so it can be negative; NaN where the score doesn't vary.
    """
    return fit(kept.flatten(1), scores).r2.numpy()


def _without(values: NDArray[np.float64], size: NDArray[np.float64]) -> NDArray[np.float64]:
    """What is left of the values once their mean and their linear dependence on the size are taken out."""
    centred, sizes = values - values.mean(), size - size.mean()
    scale = sizes @ sizes
    return centred if scale == 0 else centred - sizes * (centred @ sizes / scale)
