"""The metric cards: what each metric of a map or a word attribution is, and how it is printed. No torch.

A metric is a column of the result rows, or is worked out from columns of each row. Everything else about it stands here
and nowhere else: tables, charts, pages and `docs/measures.md` read these cards.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.evaluation.half_loss import half_loss
from core.evaluation.roughness import roughness

if TYPE_CHECKING:
    import pandas as pd
else:
    from core.deferred import pandas as pd

Better = Literal["high", "low", "neither"]
Level = Literal["main", "further"]
Divisor = Literal["", "gain", "own gain"]
# From rows (k,) to a value of each, NaN where there is none.
Measure: TypeAlias = "Callable[[pd.DataFrame], NDArray[np.float64]]"

ARROWS: dict[Better, str] = {"high": "\u2191", "low": "\u2193", "neither": ""}
SENTENCES: dict[Better, str] = {
    "high": "higher is better",
    "low": "lower is better",
    "neither": "neither direction is better",
}


@dataclass(frozen=True)
class Metric:
    """One metric.

    `name` is its column, `title` its name in full and `short` the head of a narrow column. `unit`
    says what a value is a number of. A `main` metric is printed with its interval, a `further` one as a mean in one
    table with the others. `about` is one sentence for a reader of the report. A value is printed times `factor`.
    `divisor` names the gain that it is divided by: that of the curves that are stored, or one of its own. Such a metric
    has a long tail, so that its median is printed beside its mean. `measure` works the values out of stored rows, of a
    metric that is not stored itself.
    """

    name: str
    title: str
    short: str
    unit: str
    better: Better
    level: Level
    about: str
    factor: float = 1.0
    divisor: Divisor = ""
    measure: Measure | None = None

    @property
    def arrow(self) -> str:
        """Which direction is better, as a sign above a column."""
        return ARROWS[self.better]

    @property
    def direction(self) -> str:
        """Which direction is better, in words."""
        return SENTENCES[self.better]

    @property
    def help(self) -> str:
        """The card in one sentence, for the tooltip of a page."""
        return f"{self.title}: {self.about} ({self.unit}; {self.direction})."


METRICS: tuple[Metric, ...] = (
    Metric(
        name="deletion",
        title="Deletion",
        short="Del.",
        unit="share of the gain",
        better="low",
        level="main",
        about="area under the curve of the score while the cells with the highest values are removed first",
        divisor="gain",
    ),
    Metric(
        name="insertion",
        title="Insertion",
        short="Ins.",
        unit="share of the gain",
        better="high",
        level="main",
        about="area under the curve of the score while the cells with the highest values are shown first",
        divisor="gain",
    ),
    Metric(
        name="faithfulness",
        title="Faithfulness",
        short="Faith.",
        unit="share of the gain",
        better="high",
        level="main",
        about="insertion minus deletion; a random order has an expected faithfulness of 0",
        divisor="gain",
    ),
    Metric(
        name="correlation",
        title="Correlation",
        short="Corr.",
        unit="correlation",
        better="high",
        level="main",
        about="correlation, over random coalitions of cells, of the score and the sum of the map over the visible "
        "cells, controlling for how many are visible",
    ),
    Metric(
        name="sensitivity_n",
        title="Sensitivity-n",
        short="Sens.",
        unit="correlation",
        better="high",
        level="further",
        about="correlation of the sum of the map over the hidden cells and the fall of the score, among coalitions "
        "that hide equally many cells",
    ),
    Metric(
        name="infidelity",
        title="Infidelity",
        short="Infid.",
        unit="share of the squared falls",
        better="low",
        level="further",
        about="share of the squared falls of the score that the sums of the map over the hidden cells, at their best "
        "scale, do not predict",
    ),
    Metric(
        name="relative_drop",
        title="Confidence drop",
        short="Drop",
        unit="share of the score",
        better="low",
        level="further",
        about="share of the probability (classes) or cosine (other texts) that is lost when the image is faded where "
        "the map is low",
    ),
    Metric(
        name="confidence_increase",
        title="Confidence increase",
        short="Rise",
        unit="share of the images",
        better="high",
        level="further",
        about="share of the images whose score rises when they are faded where the map is low",
    ),
    Metric(
        name="blur_faithfulness",
        title="Faithfulness, blurred",
        short="Blur",
        unit="share of the gain",
        better="high",
        level="further",
        about="faithfulness, in few steps, with removed cells blurred",
        divisor="own gain",
    ),
    Metric(
        name="road_faithfulness",
        title="Faithfulness, ROAD",
        short="ROAD",
        unit="share of the gain",
        better="high",
        level="further",
        about="faithfulness, in few steps, with removed cells filled in from the cells around them",
        divisor="own gain",
    ),
    Metric(
        name="half_loss",
        title="Half loss",
        short="Half",
        unit="share of the cells",
        better="low",
        level="further",
        about="share of the cells, those with the highest values first, after whose removal half of the gain is lost",
        divisor="gain",
        measure=half_loss,
    ),
    Metric(
        name="comprehensiveness",
        title="Comprehensiveness",
        short="Comp.",
        unit="thousandths of cosine",
        better="high",
        level="further",
        about="fall of the cosine, in thousandths, without the words of the text that have the highest values",
        factor=1000.0,
    ),
    Metric(
        name="sufficiency",
        title="Sufficiency",
        short="Suff.",
        unit="thousandths of cosine",
        better="low",
        level="further",
        about="fall of the cosine, in thousandths, with the words of the text that have the highest values alone",
        factor=1000.0,
    ),
    Metric(
        name="sparseness",
        title="Sparseness (Gini index)",
        short="Gini",
        unit="index, 0 to 1",
        better="neither",
        level="further",
        about="Gini index of the sizes of the values: 0 where all cells are equal, near 1 where one cell has all; it "
        "does not show whether a map is right",
    ),
    Metric(
        name="entropy",
        title="Entropy",
        short="Entr.",
        unit="share of the maximum",
        better="neither",
        level="further",
        about="entropy of the sizes of the values over its maximum: 1 where all cells are equal",
    ),
    Metric(
        name="effective_area",
        title="Effective area",
        short="Area",
        unit="share of the cells",
        better="neither",
        level="further",
        about="smallest share of the cells that has half of the sizes of the values",
    ),
    Metric(
        name="roughness",
        title="Roughness",
        short="Rough.",
        unit="ratio",
        better="neither",
        level="further",
        about="mean absolute difference of neighbouring cells over that of any two cells: near 0 in a smooth map, 1 "
        "where the same values lie in random positions",
        measure=roughness,
    ),
)
STORED = tuple(metric for metric in METRICS if metric.measure is None)
BY_NAME = {metric.name: metric for metric in METRICS}
MAIN = tuple(metric for metric in METRICS if metric.level == "main")
FURTHER = tuple(metric for metric in METRICS if metric.level == "further")

DOCUMENTED = ("metrics: begin", "metrics: end")


def with_measures(rows: pd.DataFrame) -> pd.DataFrame:
    """`rows` with a column for every metric that is worked out from them."""
    return rows.assign(**{metric.name: metric.measure(rows) for metric in METRICS if metric.measure is not None})


def as_markdown() -> str:
    """The table of all metrics in `docs/measures.md`, between the two comments that `DOCUMENTED` names."""
    lines = ["| metric | column | better | unit | what it is |", "|---|---|---|---|---|"]
    for metric in METRICS:
        lines.append(f"| {metric.title} | `{metric.name}` | {metric.better} | {metric.unit} | {metric.about} |")
    return "\n".join(lines)
