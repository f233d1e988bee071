"""The gain that areas under curves are divided by, and the floor below which they have no value. No torch.

The gain of an image and text is the score of the whole image less that of the fully hidden one. Divided by a small
gain, one image weighs as much as ten others and decides the mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.evaluation.metrics import METRICS, STORED
from core.runs import Run

if TYPE_CHECKING:
    import pandas as pd
else:
    from core.deferred import pandas as pd

# The rise of a cosine, from the fully hidden to the whole image, below which no area is measured.
LEAST_RISE = 0.01
# The floor as a part of the run's median gain: cosines of different models differ in range, so that no fixed number
# would serve. Chosen by simulation (docs/statistics.md, The floor of the gain).
LEAST_GAIN = 0.5
KEY = ["image", "text", "text_kind"]
DIVIDED = [metric.name for metric in METRICS if metric.divisor == "gain"]
STORED_DIVIDED = [metric.name for metric in STORED if metric.divisor == "gain"]


@dataclass(frozen=True)
class Gains:
    """What the floor leaves out: `floor` as a cosine, image-text pairs with a value, and of these those below it.

    `images` counts images with a curve, `images_below` those of them that have no pair left; `pairs_flat` are the pairs
    with a curve whose rise is below `LEAST_RISE`, so that they never had a value.
    """

    floor: float | None = None
    pairs: int = 0
    pairs_below: int = 0
    images: int = 0
    images_below: int = 0
    pairs_flat: int = 0


def gain_of(rows: pd.DataFrame) -> pd.Series:
    """The gain of each row's image and text; NaN where the row has no curve."""
    curves = rows["deletion_curve"]
    known = curves.notna()
    found = pd.Series(np.nan, index=rows.index)
    found[known] = [float(curve[0]) - float(curve[-1]) for curve in curves[known]]
    return found


def above_floor(rows: pd.DataFrame) -> tuple[pd.DataFrame, Gains]:
    """`rows` with no value of what is divided by the gain where the gain is below the floor, and what that leaves out.

    Rows without curves keep their values: their gain is not known.
    """
    gain = gain_of(rows)
    valued = gain.notna() & rows["faithfulness"].notna()
    pairs = rows.loc[valued, KEY].assign(gain=gain[valued]).drop_duplicates(KEY)
    if pairs.empty:
        return rows, Gains()
    floor = LEAST_GAIN * float(pairs["gain"].median())
    below = pairs["gain"] < floor
    curved = rows.loc[gain.notna(), KEY].drop_duplicates(KEY)
    images = curved["image"].nunique()
    divided = [name for name in DIVIDED if name in rows]
    cleared = rows[divided].mask(gain < floor)
    return (
        rows.assign(**{name: cleared[name] for name in divided}),
        Gains(
            floor,
            len(pairs),
            int(below.sum()),
            images,
            images - pairs.loc[~below, "image"].nunique(),
            len(curved) - len(pairs),
        ),
    )


def rows_above_floor(run: Run, columns: Sequence[str]) -> pd.DataFrame:
    """These columns of a run's rows, with the floor applied as in its summary."""
    needed = [*columns, *(name for name in (*KEY, "deletion_curve", *STORED_DIVIDED) if name not in columns)]
    rows, _ = above_floor(run.results(needed))
    return rows[list(columns)]
