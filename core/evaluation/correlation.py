"""How well a map's sums foretell the score, on coalitions that the methods have embedded already: no forwards.

Correlation (Bhatt, Weller, Moura, IJCAI 2020): over random coalitions, does the share of a map that stays in view go
with the score? Sensitivity-n (Ancona et al., ICLR 2018) asks the same among coalitions of one size, infidelity (Yeh et
al., NeurIPS 2019) by how much the sums miss the score's falls. The additive share is the part of the score's
variance over coalitions that the best sum over cells explains, corrected for the number of cells fitted.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from core.attribution.surrogate import complements
from core.evaluation.agreement import common_grid

# A correlation of fewer coalitions than this says nothing.
LEAST_OF_A_SIZE = 6
# Degrees of freedom that a fit must leave for its residual to be a variance worth stating.
LEAST_FREEDOM = 8


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


def sensitivity_n(
    kept: NDArray[np.bool_],
    scores: NDArray[np.floating],
    values: NDArray[np.floating],
    least: int = LEAST_OF_A_SIZE,
) -> float | None:
    """Mean, over the numbers n of hidden cells that occur, of the correlation of hidden sum and fall of the score.

    Only sizes with at least `least` coalitions count; which those are depends on the draw and not on the map. None if
    no size has a correlation.
    """
    grid = common_grid(values, (kept.shape[1], kept.shape[2]))
    flat = kept.reshape(len(kept), -1)
    hidden = (~flat).astype(float) @ grid.ravel()
    falls, size = -np.asarray(scores, dtype=float), flat.sum(axis=1)
    found = []
    if np.ptp(grid) > 0:
        for count in np.unique(size):
            same = size == count
            if same.sum() >= least and np.ptp(hidden[same]) > 1e-12 and np.ptp(falls[same]) > 1e-12:
                found.append(np.corrcoef(hidden[same], falls[same])[0, 1])
    return float(np.mean(found)) if found else None


def infidelity(
    kept: NDArray[np.bool_], scores: NDArray[np.floating], full: float, values: NDArray[np.floating]
) -> float | None:
    """Infidelity as a share: mean over coalitions of (b I'a - (s(x) - s(x_I)))^2 over the mean of (s(x) - s(x_I))^2.

    I'a is the map's sum over the hidden cells, `full` the score s(x) of the whole image, and b >= 0 the factor that
    fits best, because methods have units of their own: 0 is perfect, 1 is what a map of zeros has. A factor below 0
    is not allowed; it would forgive a wrong sign. None if the map is constant or the score never falls.
    """
    grid = common_grid(values, (kept.shape[1], kept.shape[2]))
    hidden = (~kept.reshape(len(kept), -1)).astype(float) @ grid.ravel()
    falls = full - np.asarray(scores, dtype=float)
    size = float(falls @ falls)
    if np.ptp(grid) == 0 or size < 1e-12 or float(hidden @ hidden) < 1e-20:
        return None
    factor = max(float(hidden @ falls) / float(hidden @ hidden), 0.0)
    left = factor * hidden - falls
    return float(left @ left) / size


def additive_share(kept: Tensor, scores: Tensor) -> NDArray[np.float64]:
    """For each text the share of the score's variance that a sum over cells explains, `(texts,)`, at most 1.

    `kept` `(coalitions, rows, columns)` are independent draws in which each cell is kept with chance 1/2; of a
    coalition and its complement only the first counts. `scores` `(coalitions, texts)`. This is R squared of least
    squares corrected for the degrees of freedom (Ezekiel, 1930): without bias as far as simulation shows, so it can be
    negative, whereas R squared of left-out coalitions contains the error of the fit as well, which at 128 coalitions
    of 49 cells turns a share of 0.50 into 0.32. NaN where the score does not vary or too few coalitions were drawn.
    """
    other = complements(kept.flatten(1)).numpy()
    first = (other < 0) | (np.arange(len(other)) < other)
    x = kept.flatten(1).double().numpy()[first]
    y = scores.double().numpy()[first]
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    total = (y**2).sum(axis=0)
    coefficients, _, rank, _ = np.linalg.lstsq(x, y, rcond=None)
    freedom = len(x) - 1 - int(rank)
    share = np.full(y.shape[1], np.nan)
    if freedom >= LEAST_FREEDOM:
        varies = total > 1e-20
        rest = ((y - x @ coefficients) ** 2).sum(axis=0)[varies] / freedom
        share[varies] = 1 - rest / (total[varies] / (len(x) - 1))
    return share


def _without(values: NDArray[np.float64], size: NDArray[np.float64]) -> NDArray[np.float64]:
    """What is left of the values once their mean and their linear dependence on the size are taken out."""
    centred, sizes = values - values.mean(), size - size.mean()
    scale = sizes @ sizes
    return centred if scale == 0 else centred - sizes * (centred @ sizes / scale)
