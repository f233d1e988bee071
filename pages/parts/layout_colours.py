"""What the points of the embedding map can be coloured by: classes, columns, scores, measures, findings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from core.applications.columns import column_values
from core.applications.registry import image_measures
from core.content.words import shorten
from core.datasets import labels_column
from core.runs import Run
from pages.parts import address, layout_scores, state

NOTHING = "nothing"
IN, AGAINST, NOT_IN = "listed", "counter-evidence", "not listed"
Values = Mapping[str, Any]


def choose(run: Run, points: pd.DataFrame) -> tuple[str, Values]:
    """The values that colour the points, by image, and what they are; the choice is part of the address."""
    offered = choices(run, points)
    key = f"colour-{run.id}"
    address.enter(key, "colour", list(offered), next(iter(offered)), str)
    name = st.selectbox("Colour by", list(offered), key=key, format_func=lambda name: shorten(name, 70))
    address.tell("colour", [name] if name != next(iter(offered)) else [])
    return name, offered[name]()


def choices(run: Run, points: pd.DataFrame) -> dict[str, Callable[[], Values]]:
    """What can colour the points of this run, by name, each computed when it is chosen."""
    dataset = state.dataset_of(run)
    found: dict[str, Callable[[], Values]] = {}
    if best := layout_scores.best_of(run):
        found["best class"] = lambda: best
    columns = column_values(dataset.images)
    label = labels_column(dataset)
    for column in sorted(columns, key=lambda column: (column != label, column)):
        found[f"{'label' if column == label else 'column'}: {column}"] = partial(columns.__getitem__, column)
    found["neighbours preserved"] = lambda: dict(zip(points["image"], points["preserved"], strict=True))
    for (text, kind), scores in layout_scores.scores_of(run).items():
        found[f"score of the {kind}: {text}"] = partial(dict, scores)
    for measure in image_measures(run):
        found[f"measure: {measure.title}"] = partial(getattr, measure, "values")
    for item in state.findings_of(run):
        listed = {sample.image for sample in item.samples}
        against = {sample.image for sample in item.counter}
        if item.status == "finding" and listed:
            found[f"finding: {item.title}"] = partial(_listed, points, listed, against)
    return found or {NOTHING: dict}


def _listed(points: pd.DataFrame, listed: set[str], against: set[str]) -> dict[str, str]:
    """Whether a finding lists each image, as a sample or as counter-evidence."""
    return {image: IN if image in listed else AGAINST if image in against else NOT_IN for image in points["image"]}
