"""The tables on segmentation, for the report and the page. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from core.applications.segmentation.multilabel import RECIPES
from core.applications.segmentation.record import SegmentationRecord
from core.content.tables import ColumnSpec, TableSpec
from core.content.words import exact, measured, number, shorten
from core.languages import say

MAPS = {"clip_surgery": "CLIP Surgery", "raw": "Raw similarity", "whole": "One label everywhere (control)"}  # messages
BACKGROUND = "(background)"  # messages
CHANCE = "the same score for all (chance)"  # messages
# What recipes are compared by, and how the name of a column begins.
METRICS = {
    "mean average precision": "Mean average precision",
    "ranking precision": "Ranking precision",
}  # messages


@dataclass(frozen=True)
class FirstRow:
    """A label that ranks first: in how many images, with its mean score by the recipe and its mean cosine in these."""

    label: str
    images: int
    score: float
    cosine: float


@dataclass(frozen=True)
class RankedRow:
    """One of the labels that rank highest in an image; `true` is None where the image has no labels."""

    image: str
    label: str
    score: float
    cosine: float
    true: bool | None


def estimate_text(row: Any) -> str:
    """A value with interval and n, of a row or an `Interval`, as the report writes it; an exact one has no interval."""
    if getattr(row, "exact", False):
        return exact(row.value, digits=3)
    return measured(row.value, row.low, row.high, int(row.n), digits=3)


def _true(row: RankedRow) -> str:
    return say("not known") if row.true is None else say("yes" if row.true else "no")


def label_title(label: str) -> str:
    """How a label is printed; the background has no name of its own."""
    return label or say(BACKGROUND)


AREAS = TableSpec(
    ColumnSpec("Label", lambda row: shorten(label_title(row.label), 60), share=44),
    ColumnSpec(
        "Mean share", estimate_text, "number", 38, "mean share of the visible image, with 95 % interval over images"
    ),
    ColumnSpec("Largest in", "won", "number", 18, "number of images in which it covers the most", value="won"),
)
OVERLAP = TableSpec(
    ColumnSpec("Map", lambda row: say(MAPS[row.map]), share=44),
    ColumnSpec("mIoU", estimate_text, "number", 36, "mean intersection over union, with 95 % interval over images"),
    ColumnSpec("Labels", "labels", "number", 20, "number of labels that occur in the annotations", value="labels"),
)
FIRST = TableSpec(
    ColumnSpec("Label ranked first", lambda row: shorten(row.label, 60), share=46),
    ColumnSpec("Images", "images", "number", value="images"),
    ColumnSpec("Mean score", lambda row: number(row.score), "number"),
    ColumnSpec("Mean cosine", lambda row: number(row.cosine), "number"),
)
RANKED = TableSpec(
    ColumnSpec("Image", "image"),
    ColumnSpec("Label", "label"),
    ColumnSpec(
        "Score",
        lambda row: number(row.score),
        "number",
        help="by the chosen recipe",
        value=lambda row: round(row.score, 3),
    ),
    ColumnSpec("Cosine", lambda row: number(row.cosine), "number", value=lambda row: round(row.cosine, 3)),
    ColumnSpec("True label", _true, help="whether the image is annotated with the label"),
)


def precision(metric: str) -> TableSpec:
    """The recipes' `metric`, from rows of `precision_table`."""
    return TableSpec(
        ColumnSpec("Recipe", lambda row: say(RECIPES.get(row.recipe, CHANCE)), share=72),
        ColumnSpec(METRICS[metric], estimate_text, "number", help="with 95 % interval over images"),
    )


def first_rows(record: SegmentationRecord) -> list[FirstRow]:
    """The labels that rank first, the most frequent first."""
    recipe = record.about["recipe"]
    first = record.recognition[record.recognition["rank"] == 1]
    counts = first.groupby("label").agg(n=("image", "nunique"), score=(recipe, "mean"), cosine=("cosine", "mean"))
    counts = counts.sort_values(["n", "score"], ascending=False)
    return [FirstRow(str(row.Index), int(row.n), float(row.score), float(row.cosine)) for row in counts.itertuples()]


def ranked_rows(record: SegmentationRecord, recipe: str, most: int) -> list[RankedRow]:
    """The `most` labels of each image that score highest by `recipe`, images by name."""
    ranked = record.recognition.sort_values(["image_name", recipe], ascending=[True, False])
    best = ranked.groupby("image", sort=False).head(most)
    columns = zip(best["image_name"], best["label"], best[recipe], best["cosine"], best["truth"], strict=True)
    return [
        RankedRow(image, label, float(score), float(cosine), None if pd.isna(truth) else bool(truth))
        for image, label, score, cosine, truth in columns
    ]
