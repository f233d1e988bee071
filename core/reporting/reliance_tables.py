"""What the report and the page say about what scores rest on: tables of places, concepts and words, maps. No torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.applications.reliance_record import PLACES, RelianceRecord
from core.evaluation.reliance import concept_table, place_table
from core.evaluation.susceptibility import function_words, stickers, templates, word_effects
from core.findings import load_thresholds, run_thresholds
from core.findings.parts import title_of
from core.findings.thresholds import Thresholds
from core.runs import Run
from core.statistics import share_of_images
from core.statistics.families import CONCEPTS, TOPICS

ENOUGH_TO_SHOW = 2


def thresholds_of(run: Run) -> Thresholds:
    """The thresholds that the run is judged by."""
    return load_thresholds(run_thresholds(run))


def places_shown(run: Run, record: RelianceRecord) -> pd.DataFrame:
    """`place_table` of every place, topics of enough pictures, with adjusted p over all rows."""
    thresholds = thresholds_of(run)
    least = float(thresholds["reliance.border.least_share"])
    enough = int(thresholds["reliance.topics.least_pictures"])
    table = place_table(record, PLACES, least=least, enough=enough)
    return table.assign(p_adjusted=TOPICS.adjusted(table))


def concepts_shown(run: Run, record: RelianceRecord) -> pd.DataFrame:
    """`concept_table` with every concept of two pictures or more, surprises first, with adjusted p over all rows."""
    thresholds = thresholds_of(run)
    least, related = (float(thresholds[f"reliance.concept.{name}"]) for name in ("least_share", "most_related"))
    table = concept_table(record, least=least, most_related=related, enough=ENOUGH_TO_SHOW)
    table = table.assign(p_adjusted=CONCEPTS.adjusted(table))
    return table.sort_values(["surprise", "value"], ascending=False, kind="stable", ignore_index=True)


def kinds_shown(run: Run, record: RelianceRecord) -> pd.DataFrame:
    """The dataset's concepts: one row a concept with its prevalence and mean area over pictures.

    Columns `concept`, `value` (share of pictures that have it), `low`, `high`, `n`, `area` (where it is), `beside` (the
    concept that most often shares a picture with it).
    """
    regions = record.regions.drop_duplicates(["image", "region"])
    images = record.pictures["image"].to_numpy()
    has = {concept: set(part["image"]) for concept, part in regions.groupby("concept", sort=True)}
    rows = []
    for concept, inside in has.items():
        flags = np.array([float(image in inside) for image in images])
        got = share_of_images(flags, images)
        area = regions[regions["concept"] == concept].groupby("image")["area"].sum().mean()
        others = {other: len(inside & also) for other, also in has.items() if other != concept}
        beside = max(others, key=lambda name: (others[name], name)) if others else ""
        rows.append({"concept": concept, **vars(got), "area": float(area), "beside": beside})
    columns = ["concept", "value", "low", "high", "n", "area", "beside"]
    return pd.DataFrame(rows, columns=columns).sort_values("value", ascending=False, kind="stable", ignore_index=True)


def checks_shown(run: Run, record: RelianceRecord) -> pd.DataFrame:
    """One row a number about words: `name`, `value`, `low`, `high`, `n` and what is counted (`of`)."""
    thresholds = thresholds_of(run)
    rows: list[dict[str, Any]] = []

    def add(name: str, got: Any, of: str) -> None:
        rows.append({"name": name, "value": got.value, "low": got.low, "high": got.high, "n": int(got.n), "of": of})

    pasted = stickers(record, least=float(thresholds["reliance.typographic.least_effect"]))
    if pasted.effect.n:
        add("Fall of the margin by a printed class name beyond letters, in spreads", pasted.effect, "pictures")
        add("Pictures that the printed name turns to its class", pasted.flips, "pictures")
        add("Pictures that letters turn to the same class", pasted.letter_flips, "pictures")
    if len(record.templates):
        told = templates(record, least=float(thresholds["prompts.templates.most_changed"]))
        add(f"Templates (of {told.count}) that give another best class", told.change, "pictures")
        add("Deviation of the best class's score over templates, in spreads", told.spread, "pictures")
    table = function_words(record, least=float(thresholds["words.function.most_excess"]))
    for row in table.itertuples():
        add(f"Attribution on function words beyond their share ({title_of(row.method)})", row, "texts")
    return pd.DataFrame(rows, columns=["name", "value", "low", "high", "n", "of"])


def least_words(record: RelianceRecord, most: int) -> pd.DataFrame:
    """The `most` content words that change least when they are left out (`word_effects`)."""
    return word_effects(record).head(most)


def fall_map(part: pd.DataFrame, column: str = "fall") -> NDArray[np.float64]:
    """The map `(rows, columns)` of one picture and text: at each cell what its region's removal costs."""
    total = None
    for row in part.itertuples():
        cells = np.asarray(row.cells, dtype=float).reshape(int(row.rows), int(row.columns))
        total = cells * getattr(row, column) if total is None else total + cells * getattr(row, column)
    assert total is not None
    return total
