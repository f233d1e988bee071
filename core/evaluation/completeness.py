"""Completeness: how much of a difference of scores the parts of a map leave unexplained, where they should sum to it.

No torch.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from core.statistics import Interval, ratio_of_means

if TYPE_CHECKING:
    import pandas as pd
else:
    from core.deferred import pandas as pd

COLUMNS = ("image", "image_name", "text", "text_kind", "kind", "method", "status", "details")


def residuals(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of methods that record a residual, with `residual` and `difference`, both as absolute cosines.

    `rows` has `COLUMNS`. `share` is the residual over the difference, infinite where the difference is 0.
    """
    rows = rows[(rows.kind == "method") & (rows.status == "ok") & rows.details.notna()]
    details = pd.DataFrame([json.loads(text) for text in rows.details], index=rows.index)
    if not {"residual", "difference"} <= set(details.columns):
        return rows.iloc[:0].assign(residual=0.0, difference=0.0, share=0.0)
    rows = rows.assign(residual=details.residual.abs(), difference=details.difference.abs())
    rows = rows[rows.residual.notna() & rows.difference.notna()]
    with np.errstate(divide="ignore", invalid="ignore"):
        return rows.assign(share=rows.residual / rows.difference)


def unexplained(part: pd.DataFrame) -> Interval:
    """Of the rows of one method: the mean residual over the mean difference, each averaged per image first.

    A ratio of means, because the mean of ratios is decided by the image whose difference is smallest.
    """
    means = part.groupby("image")[["residual", "difference"]].mean()
    return ratio_of_means(means.residual.to_numpy(float), means.difference.to_numpy(float))
