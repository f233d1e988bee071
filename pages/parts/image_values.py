"""What is known of each image of a run: class, columns, scores, measures, findings; to colour, filter or order by."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st

from core.applications.columns import column_values
from core.applications.image_measures import ImageMeasure
from core.applications.registry import image_measures
from core.datasets import labels_column
from core.findings import Finding, load_findings
from core.runs import Run
from pages.parts import layout_scores, state

IN, AGAINST, NOT_IN = "listed", "counter-evidence", "not listed"
Values = Mapping[str, Any]


def values_by_name(run: Run, images: Collection[str]) -> dict[str, Callable[[], Values]]:
    """Each quantity by its name, computed when it is asked for: a word or a number by image.

    images: the ids of those for which a finding says whether it lists them.
    """
    dataset = state.dataset_of(run)
    offered: dict[str, Callable[[], Values]] = {}
    if best := layout_scores.best_of(run):
        offered["best class"] = lambda: best
    columns = column_values(dataset.images)
    label = labels_column(dataset)
    for column in sorted(columns, key=lambda column: (column != label, column)):
        offered[f"{'label' if column == label else 'column'}: {column}"] = partial(columns.__getitem__, column)
    for (text, kind), scores in layout_scores.scores_of(run).items():
        offered[f"score of the {kind}: {text}"] = partial(dict, scores)
    measures, stored = _read(str(run.folder), state.version_of(run), state.progress_of(run).state)
    for measure in measures:
        offered[f"measure: {measure.title}"] = partial(getattr, measure, "values")
    # Those that were stored with the run need no rule to be evaluated.
    for item in stored or state.findings_of(run):
        if item.status == "finding" and item.samples:
            offered[of_finding(item)] = partial(_listed, tuple(images), item)
    return offered


def of_finding(item: Finding) -> str:
    """The name under which a finding's images are offered."""
    return f"finding: {item.title}"


@st.cache_resource(max_entries=3, show_spinner=False)
def _read(folder: str, version: tuple[int, int], standing: str) -> tuple[tuple[ImageMeasure, ...], tuple[Finding, ...]]:
    """The measures of single images and the stored findings, read once for each state of the run."""
    run = Run(Path(folder))
    return image_measures(run), load_findings(run)


def _listed(images: Collection[str], item: Finding) -> dict[str, str]:
    """Whether a finding lists each image, as a sample or as counter-evidence."""
    listed = {sample.image for sample in item.samples}
    against = {sample.image for sample in item.counter}
    return {image: IN if image in listed else AGAINST if image in against else NOT_IN for image in images}
