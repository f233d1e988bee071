"""How few cells carry half of the gain: the half-way point of the deletion curve. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.evaluation.curve_shares import SHARES, shares_of

if TYPE_CHECKING:
    import pandas as pd
else:
    from core.deferred import pandas as pd

HALF = 0.5
# As for areas: a curve that does not fall by this much has no half of its gain.
LEAST_FALL = 0.01


def half_loss(rows: pd.DataFrame) -> NDArray[np.float64]:
    """For each row the share of the cells, highest values first, after whose removal half of the gain is lost.

    Between two steps of the deletion curve the share is interpolated. NaN without a curve, and where the whole image
    scores no more than the hidden one.
    """
    found = np.full(len(rows), np.nan)
    curves = rows["deletion_curve"]
    known = np.flatnonzero(curves.notna())
    lengths = np.array([len(curve) for curve in curves.iloc[known]], dtype=np.intp)
    stored = rows[SHARES] if SHARES in rows else pd.Series([None] * len(rows), dtype=object)
    for length in np.unique(lengths).tolist():
        of = known[lengths == length]
        found[of] = _half_of(np.stack(list(curves.iloc[of])).astype(np.float64), shares_of(stored.iloc[of], length))
    return found


def _half_of(curves: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.float64]:
    gain = curves[:, :1] - curves[:, -1:]
    falls = gain[:, 0] >= LEAST_FALL
    left = (curves - curves[:, -1:]) / np.where(falls[:, None], gain, 1.0)
    # The first step at which half is gone; the last one has lost everything.
    step = (left <= HALF).argmax(axis=1)
    row = np.arange(len(left))
    before, after = left[row, step - 1], left[row, step]
    with np.errstate(invalid="ignore", divide="ignore"):
        part = (before - HALF) / (before - after)
        share = shares[row, step - 1] + part * (shares[row, step] - shares[row, step - 1])
    return np.where(falls, share, np.nan)
