"""The tables on mutual knowledge, for the report and the page, which may show several models. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from core.applications.knowledge.measures import (
    DECISIONS,
    PROXY_TITLES,
    RANGES,
    TITLES,
    VARIANTS,
    advantage,
    estimate,
    written,
)
from core.applications.knowledge.record import CONTROLS, MEASURES, KnowledgeRecord, shared_descriptors
from core.content.tables import ColumnSpec, TableSpec
from core.content.words import MINUS, number
from core.languages import say
from core.statistics import Interval, interval_of_means

NOT_MEASURED = "not measured"  # messages
# What a measure says, where its direction has to be known.
DIRECTIONS = {"higher": "{measure}, higher is better", "lower": "{measure}, lower is better"}  # messages
OVERLAP_MEASURES = ("score", "auc", "shared", "jaccard", "overlap")
EDIT_MEASURES = ("deletion", "insertion")


@dataclass(frozen=True)
class MeasureRow:
    """A measure of one model over images. `control` is the control's mean, `ahead` the paired difference from it."""

    model: str
    measure: str
    own: Interval
    control: float | None
    ahead: Interval | None


@dataclass(frozen=True)
class DecisionRow:
    """The share of images for which something holds of the model's decision, by its title."""

    model: str
    title: str
    share: Interval


@dataclass(frozen=True)
class ClassRow:
    """A predicted class: the number of its images, their mean score, and its shared descriptors with their images."""

    name: str
    images: int
    score: Interval
    words: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class PartRow:
    """What was recognised in one image, whose parts one way of dividing found."""

    image: str
    variant: str
    predicted: str
    area: float
    first: tuple[str, ...]
    shared: tuple[str, ...]


@dataclass(frozen=True)
class CorrelationRow:
    """The rank correlation, over `n` models, between the area under the removal curve and another measure."""

    title: str
    value: float | None
    n: int


def _difference(row: MeasureRow) -> str:
    return say(NOT_MEASURED) if row.ahead is None else written(row.ahead)


def _directed(row: MeasureRow) -> str:
    return say(DIRECTIONS[MEASURES[row.measure]], measure=say(TITLES[row.measure]))


_MODEL = ColumnSpec("Model", "model", only="page")
OVERLAP = TableSpec(
    _MODEL,
    ColumnSpec("Measure", lambda row: say(TITLES[row.measure]), share=28, help="higher is better"),
    ColumnSpec("Own class", lambda row: written(row.own), "number", 26, "mean over images, with 95 % interval"),
    ColumnSpec(
        "Other classes",
        lambda row: say(NOT_MEASURED) if row.control is None else number(row.control, 2),
        "number",
        16,
        "control: the same for classes that the model did not predict",
    ),
    ColumnSpec(
        "Paired difference",
        _difference,
        "number",
        30,
        f"own class {MINUS} other classes of the same image, with 95 % interval",
    ),
)
EDITS = TableSpec(
    _MODEL,
    ColumnSpec("Measure", _directed, share=34),
    ColumnSpec(
        "Visual concepts",
        lambda row: written(row.own),
        "number",
        30,
        "mean area under the curve over images, with 95 % interval",
    ),
    ColumnSpec(
        "Minus random descriptors",
        _difference,
        "number",
        36,
        "mean paired difference from as many random descriptors (control), with 95 % interval",
    ),
)
SHARES = TableSpec(
    _MODEL,
    ColumnSpec("Share of images", lambda row: say(row.title), share=50),
    ColumnSpec("Value", lambda row: written(row.share), "number", 50, "with 95 % interval over images"),
)
CLASSES = TableSpec(
    ColumnSpec("Predicted class", "name", share=18),
    ColumnSpec("Score", lambda row: written(row.score), "number", 26, "mean over images, with 95 % interval"),
    ColumnSpec(
        "Most often shared (images)",
        lambda row: "; ".join(f"{word} ({images})" for word, images in row.words) or say("none"),
    ),
)
PARTS = TableSpec(
    ColumnSpec("Image", "image", share=13),
    ColumnSpec("Parts by", lambda row: say(VARIANTS.get(row.variant, row.variant)), share=10),
    ColumnSpec("Class", "predicted", share=11),
    ColumnSpec("Area", lambda row: number(row.area, 2), "number", 7, "area under the removal curve"),
    ColumnSpec("Visual concepts, first", lambda row: ", ".join(row.first), share=33),
    ColumnSpec("Shared with its class", lambda row: ", ".join(row.shared) or say("none")),
)
CORRELATIONS = TableSpec(
    ColumnSpec("Other measure", "title"),
    ColumnSpec(
        "Rank correlation over models",
        lambda row: "cannot conclude" if row.value is None else number(row.value, 2),
        "number",
    ),
    ColumnSpec("Models", "n", "number", value="n"),
)


def measure_rows(records: Mapping[str, KnowledgeRecord], measures: tuple[str, ...]) -> list[MeasureRow]:
    """The measures of every model, by its name."""
    return [
        MeasureRow(
            name,
            measure,
            estimate(record, measure),
            float(record.images[CONTROLS[measure]].mean()) if measure in CONTROLS else None,
            advantage(record, measure) if measure in CONTROLS else None,
        )
        for name, record in records.items()
        for measure in measures
    ]


def decision_rows(records: Mapping[str, KnowledgeRecord]) -> list[DecisionRow]:
    """The decisions of every model with and without its concepts; accuracies only where classes are known."""
    return [
        DecisionRow(name, title, estimate(record, column))
        for name, record in records.items()
        for column, title in DECISIONS.items()
        if record.labelled or not column.startswith("correct")
    ]


def class_rows(record: KnowledgeRecord) -> list[ClassRow]:
    """The predicted classes, the most frequent first."""
    named = shared_descriptors(record)
    rows = []
    for name, part in record.images.groupby("predicted", sort=True):
        words = named[named["class"] == name]
        pairs = zip(words["descriptor"], words["images"], strict=True)
        shared = tuple((str(word), int(images)) for word, images in pairs)
        score = interval_of_means(part["score"].to_numpy(float), within=RANGES["score"])
        rows.append(ClassRow(str(name), len(part), score, shared))
    return sorted(rows, key=lambda row: (-row.images, row.name))


def correlation_rows(correlations: pd.DataFrame) -> list[CorrelationRow]:
    """The rows of `rank_correlations` under their titles."""
    return [
        CorrelationRow(proxy_title(row.column), None if pd.isna(row.value) else float(row.value), int(row.n))
        for row in correlations.rename(columns={"with": "column"}).itertuples()
    ]


def proxy_title(name: str) -> str:
    """The title of what the area under the removal curve is compared with."""
    titles = PROXY_TITLES | DECISIONS | {"modality_gap": "Modality gap", "class_balance": "Class balance"}
    return titles[name]
