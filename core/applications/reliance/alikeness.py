"""How far a region looks the same in the images of one topic, beyond its look in other images. No torch.

Surroundings that carry a score are natural for a scene and for a thing that is usually seen in one place. A mark, a
frame or one studio background is not: it looks the same in every image. Looks are colours, contrast and detail of
cells; no model has a part in them.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.applications.reliance.measures import EVERY, topics_of
from core.applications.reliance.record import CORNERS, RelianceRecord
from core.applications.reliance.shapes import corners, ring
from core.applications.reliance.verdicts import judged
from core.languages import say
from core.rules import Context
from core.rules.writing import filled
from core.statistics import Family, Interval, jackknife_of

# What the criterion and the wordings of a rule on regions say of it.
CRITERION = (
    " A region that carries more is a flaw only if its look is at least {least_alike:.0%} more alike within the images "
    "of the text than between these and others, as a mark, a frame or a studio background is; otherwise it is stated "
    "in the profile of the text."
)
NATURAL = (
    " The interval does not lie within the limit, and the criterion is met only because the region is shown not to "
    "look alike from image to image, as in a scene, for: {excused}. How many of these have their whole interval above "
    "the limit, as the profiles state: {natural}."
)
ALIKE = (
    " The look of the region is {alike_value:.0%} [{alike_low:.0%}, {alike_high:.0%}] more alike within these images "
    "than with others."
)  # messages

# What an undecided rule on regions adds; `look` says how alike the region of the first row is.
ALSO = (
    " A finding needs {needs}a whole interval above {{least_share:.0%}} and a look that is shown to be at least "
    "{{least_alike:.0%}} more alike within the images of the text than with others."
)

Floats = NDArray[np.float64]
UP_TO_ONE = (-np.inf, 1.0)


def alikeness(record: RelianceRecord, region: str, own: Collection[str]) -> Interval:
    """1 less the ratio of two mean squared differences of the region's look: between images of `own`, and with others.

    1: the region looks the same in all of `own` and different elsewhere; 0: no more alike than with others. Where `own`
    is every image, the region is compared with the rest of the same images. No interval below eight images of `own`.
    """
    images, looks, grid = record.cell_looks
    inside = np.array([image in own for image in images], dtype=bool)
    count = int(inside.sum())
    if count < 2:
        return Interval(None, None, None, count)
    mask = _mask(region, *grid)
    apart = _apart(looks[:, mask])
    mine = apart[np.ix_(inside, inside)]
    rest = _apart(looks[inside][:, ~mask]) if inside.all() else apart[np.ix_(inside, ~inside)]
    # Sums of all pairs, then of those that are left without each image in turn.
    same, other = _sums(mine), _sums(rest) if inside.all() else rest.sum() - np.array([0.0, *rest.sum(axis=1)])
    n = np.array([count, *[count - 1] * count], dtype=np.float64)
    pairs = np.maximum(n * (n - 1), 1)
    same, other = same / pairs, other / (pairs if inside.all() else n * rest.shape[1])
    known = (n > 1) & (other > 0)
    ratio = 1 - np.divide(same, other, out=np.zeros(len(n)), where=known)
    if not known[0]:
        return Interval(None, None, None, count)
    return jackknife_of(float(ratio[0]), ratio[1:][known[1:]], count, within=UP_TO_ONE)


def _sums(square: Floats) -> Floats:
    """The sum of a square table, and without the row and the column of each place in turn."""
    whole = square.sum()
    return np.array([whole, *(whole - square.sum(axis=0) - square.sum(axis=1) + square.diagonal())])


def with_alikeness(table: pd.DataFrame, record: RelianceRecord) -> pd.DataFrame:
    """The table with `alike_value`, `alike_low` and `alike_high` for the `topic` and `place` of each row."""
    rows, own = [], images_by_topic(record)
    for row in table[["topic", "place"]].itertuples(index=False):
        got = alikeness(record, str(row.place), own.get(str(row.topic), set()))
        rows.append((got.value, got.low, got.high))
    ends = pd.DataFrame(rows, columns=["alike_value", "alike_low", "alike_high"], index=table.index, dtype=float)
    return table.join(ends)


def judged_alike(
    table: pd.DataFrame,
    record: RelianceRecord,
    limit: float,
    family: Family,
    context: Context,
    also: pd.Series | None = None,
    regional: bool = True,
) -> pd.DataFrame:
    """`judged`, where a finding also needs a region that is shown to look alike; one shown not to is natural.

    `also` is what a finding needs besides these two. Unless the value is that of the region whose look is known
    (`regional`), a row without it is not natural. Column `look` says in words how alike a row's region is.
    """
    table = with_alikeness(table.reset_index(drop=True), record)
    least = float(context.thresholds["reliance.alike.least_alike"])
    alike, natural = table["alike_low"] > least, table["alike_high"] <= least
    table["look"] = [_look(row) for row in table.itertuples()]
    if also is not None:
        also = also.reset_index(drop=True)
        alike, natural = alike & also, natural if regional else natural & also
    return judged(table, limit, family, context, alike, natural)


def _look(row: Any) -> str:
    if pd.isna(row.alike_low):
        return say(" How alike its look is was not determined.")
    return filled(ALIKE, {name: getattr(row, name) for name in ("alike_value", "alike_low", "alike_high")})


def images_by_topic(record: RelianceRecord) -> dict[str, set[str]]:
    """The images of each topic: those with a text of it among the texts that are measured; every image for `EVERY`."""
    images: dict[str, set[str]] = {}
    for row in record.places[["image", "text", "text_kind"]].drop_duplicates().itertuples():
        for topic in topics_of(str(row.text), str(row.text_kind)):
            images.setdefault(topic, set()).add(str(row.image))
    return images | {EVERY: set(record.images["image"])}


def _mask(region: str, rows: int, columns: int) -> NDArray[np.bool_]:
    """The cells of the border or a corner, row by row; for any other region those of all corners."""
    if region == "border":
        return ring(rows, columns).ravel()
    four = corners(rows, columns)
    return (four[region] if region in CORNERS else np.any(list(four.values()), axis=0)).ravel()


def _apart(looks: Floats) -> Floats:
    """The mean squared difference of each two images' looks `(images, images)`, from `(images, cells, features)`."""
    flat = looks.reshape(len(looks), -1)
    squares = (flat**2).sum(axis=1)
    gaps = squares[:, None] + squares[None, :] - 2 * flat @ flat.T
    np.fill_diagonal(gaps, 0.0)
    return np.asarray(np.maximum(gaps, 0.0) / max(flat.shape[1], 1), dtype=np.float64)
