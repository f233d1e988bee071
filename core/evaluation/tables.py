"""The rows of a summary's tables: the one place that names their columns. No torch.

`value` is a mean over `n` images and `low` to `high` its 95 % interval; a number that is not known is NaN.
"""

from __future__ import annotations

from typing import NamedTuple


class TrustRow(NamedTuple):
    """A metric of a method or control, with the median of the images' means."""

    method: str
    kind: str
    metric: str
    value: float
    low: float
    high: float
    n: int
    median: float


class VersusRow(NamedTuple):
    """The paired difference of faithfulness of a method from a control on texts of one kind, with the p of its test."""

    method: str
    control: str
    text_kind: str
    value: float
    low: float
    high: float
    n: int
    p: float
    p_adjusted: float


class MeasureRow(NamedTuple):
    """As `VersusRow`, in the unit of any `metric`, and whichever direction is better by it."""

    metric: str
    method: str
    control: str
    text_kind: str
    value: float
    low: float
    high: float
    n: int
    p: float
    p_adjusted: float


class AgreementRow(NamedTuple):
    """The rank correlation of the maps of two methods.

    `overlap` is the mean intersection over union of the best 20 % of the cells; `chance` the mean correlation of maps
    of different images, over all their texts, and `chance_high` the 95 % quantile of that mean over as many images
    paired at random.
    """

    a: str
    b: str
    value: float
    low: float
    high: float
    n: int
    overlap: float
    chance: float
    chance_high: float


class IncomparableRow(NamedTuple):
    """Two methods with maps of which no two can be compared, and why (a key of `method_pairs.REASONS`)."""

    a: str
    b: str
    reason: str


class PairRow(NamedTuple):
    """An image and text: the mean rank correlation over all pairs of its `methods` maps."""

    image: str
    image_name: str
    text: str
    value: float
    methods: int


class ScoreRow(NamedTuple):
    """The cosine of an image and a text."""

    image: str
    image_name: str
    text: str
    text_kind: str
    score: float


class TextRow(NamedTuple):
    """The mean cosine of a text."""

    text: str
    text_kind: str
    value: float
    low: float
    high: float
    n: int


class FailureRow(NamedTuple):
    """An explanation that failed, and why."""

    image: str
    image_name: str
    text: str
    method: str
    message: str


class ModelsRow(NamedTuple):
    """The paired difference of a method's faithfulness between two models; `own` and `theirs` are the two means."""

    method: str
    value: float
    low: float
    high: float
    n: int
    own: float
    theirs: float
    p: float
    p_adjusted: float


class ModelMapsRow(NamedTuple):
    """The rank correlation and overlap of one method's maps on two models."""

    method: str
    value: float
    low: float
    high: float
    n: int
    overlap: float


class ModelScoresRow(NamedTuple):
    """The rank correlation over `texts` of the scores of two models, and how often the best text is the same."""

    text_kind: str
    value: float
    low: float
    high: float
    n: int
    same_best: float
    texts: int
