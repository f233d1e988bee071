"""Mutual knowledge of any number of models on the same images: one table, the curves, and accuracy. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from core.applications.knowledge.measures import (
    DECISIONS,
    PROXY_TITLES,
    advantage,
    estimate,
    model_table,
    written,
)
from core.applications.knowledge.record import PROXIES, KnowledgeRecord, of_run
from core.content.altair import alt
from core.content.charts import PALETTE, WIDTH, styled, to_svg
from core.content.side_by_side import Drawing, SideBySide
from core.content.tables import ColumnSpec, TableSpec
from core.content.words import measured, p_value, plural
from core.errors import InputError
from core.languages import say
from core.runs import Run
from core.statistics import FEWEST_PAIRS, Interval, interval_of_means, rank_correlation, sign_flip_p
from core.statistics.families import Family

MODELS = Family("knowledge.models", "sign-flip test", "models that are compared with the first")
REFERENCE = "reference"  # messages
DASHES = ([1, 0], [5, 3], [2, 2])
# Measures of a model that the area under its curve is correlated with, over models.
BESIDE = ("correct", *PROXIES)


@dataclass(frozen=True)
class ModelRow:
    """A model in the table. `classes`: how many of how many it predicts for some image. `ahead`, `p` and `p_adjusted`
    are of its area less that of the first model, by image.
    """

    model: str
    auc: Interval
    above: Interval
    score: Interval
    shared: Interval
    correct: Interval
    classes: tuple[int, int]
    ahead: Interval | None
    p: float | None
    p_adjusted: float | None


@dataclass(frozen=True)
class RankRow:
    """The rank correlation over models of the area under the curve with another measure."""

    title: str
    value: Interval


def _of_all(part: int, whole: int) -> str:
    return say("{part:,} of {whole:,}", part=part, whole=whole)


_INTERVAL = "mean over images, with 95 % interval"
TABLE = TableSpec(
    ColumnSpec("Model", "model", share=16),
    ColumnSpec("Area under the removal curve", lambda row: written(row.auc), "number", 16, _INTERVAL),
    ColumnSpec("Area less that of other classes", lambda row: written(row.above), "number", 16),
    ColumnSpec("Score", lambda row: written(row.score), "number", 15, _INTERVAL),
    ColumnSpec("Shared concepts K", lambda row: written(row.shared), "number", 14, _INTERVAL),
    ColumnSpec("Zero-shot accuracy", lambda row: written(row.correct), "number", 14),
    ColumnSpec("Classes predicted", lambda row: _of_all(*row.classes), "number", 9),
)
DIFFERENCES = TableSpec(
    ColumnSpec("Model", "model", share=34),
    ColumnSpec(
        "Area less that of the first model",
        lambda row: say(REFERENCE) if row.ahead is None else written(row.ahead),
        "number",
        36,
        "mean paired difference over images, with 95 % interval",
    ),
    ColumnSpec("p", lambda row: p_value(row.p), "number", 15),
    ColumnSpec("p, Holm", lambda row: p_value(row.p_adjusted), "number", 15),
)
RANKS = TableSpec(
    ColumnSpec("Other measure of a model", lambda row: say(row.title), share=55),
    ColumnSpec(
        "Rank correlation with the area",
        lambda row: measured(row.value.value, row.value.low, row.value.high, row.value.n),
        "number",
        45,
        "over models, with 95 % interval",
    ),
)


def side_by_side(runs: Mapping[str, Run]) -> SideBySide:
    """The models of these runs. Raises `InputError` for one without this record, or with other images, classes,
    templates, options or descriptors than the first: its figures would not be comparable.
    """
    records = {name: _record(name, run) for name, run in runs.items()}
    first, *_ = records
    for name, record in records.items():
        differing = records[first].comparable(record)
        if differing:
            raise InputError(f"{name} and {first} differ in {' and '.join(differing)}; compare runs of the same audit")
    rows, frame = model_rows(records), model_table(records)
    images = records[first].images
    tests = pd.DataFrame(
        {
            "model": [row.model for row in rows],
            "auc_ahead": [row.ahead.value if row.ahead else None for row in rows],
            "auc_ahead_low": [row.ahead.low if row.ahead else None for row in rows],
            "auc_ahead_high": [row.ahead.high if row.ahead else None for row in rows],
            "p": [row.p for row in rows],
            "p_adjusted": [row.p_adjusted for row in rows],
        }
    )
    ranks = rank_rows(frame)
    tables = [
        TABLE.table(say("Mutual knowledge of each model, with 95 % interval over images"), rows),
        DIFFERENCES.table(say("Difference from {model}, paired by image", model=first), rows),
    ]
    if ranks:
        tables.append(RANKS.table(say("Does the area go with other measures of the models?"), ranks))
    numbers = tests.drop(columns="model").astype(float)
    return SideBySide(
        title=say("Mutual knowledge"),
        sentences=_sentences(records, tests),
        tables=tuple(tables),
        drawings=(_drawing(records),),
        frames={
            "models": pd.concat([frame, numbers], axis=1),
            "curves": _curves(records),
            "images": pd.concat([record.images.assign(model=name) for name, record in records.items()])[
                ["model", *images.columns]
            ].reset_index(drop=True),
        },
    )


def model_rows(records: Mapping[str, KnowledgeRecord]) -> list[ModelRow]:
    """One row for each model, in the given order."""
    first, *others = records
    ahead = {name: _differences(records[name], records[first]) for name in others}
    tests = pd.DataFrame({"p": [sign_flip_p(ahead[name]) for name in others]}, index=others, dtype=float)
    tests["p_adjusted"] = MODELS.adjusted(tests)
    rows = []
    for name, record in records.items():
        own = {column: estimate(record, column) for column in ("auc", "score", "shared", "correct")}
        rows.append(
            ModelRow(
                model=name,
                above=advantage(record, "auc"),
                classes=(int(record.images["predicted"].nunique()), len(record.about["classes"])),
                ahead=interval_of_means(ahead[name]) if name in ahead else None,
                p=float(tests.p[name]) if name in ahead else None,
                p_adjusted=float(tests.p_adjusted[name]) if name in ahead else None,
                **own,
            )
        )
    return rows


def rank_rows(frame: pd.DataFrame) -> list[RankRow]:
    """Rank correlations over models with the interval over models; none below `FEWEST_PAIRS` models."""
    rows = []
    for column in BESIDE:
        both = frame[["auc", column]].astype(float).dropna()
        if len(both) >= FEWEST_PAIRS and both.nunique().min() > 1:
            value = rank_correlation(both["auc"].to_numpy(), both[column].to_numpy(), counted="models")
            rows.append(RankRow({**DECISIONS, **PROXY_TITLES}[column], value))
    return rows


def _record(name: str, run: Run) -> KnowledgeRecord:
    record = of_run(run)
    if record is None:
        raise InputError(f"the run of {name} did not compute mutual knowledge; audit it with this application")
    return record


def _differences(record: KnowledgeRecord, other: KnowledgeRecord) -> Any:
    own, theirs = (one.images.set_index("image")["auc"] for one in (record, other))
    return (own - theirs[own.index]).to_numpy(float)


def _sentences(records: Mapping[str, KnowledgeRecord], tests: pd.DataFrame) -> tuple[str, ...]:
    record = next(iter(records.values()))
    about, count = record.about, plural(len(record.images), "image")
    classes = plural(len(about["classes"]), "class", "classes")
    labelled = plural(record.labelled, "labelled image")
    labels = (
        say("Accuracy is the share of the {images} whose zero-shot class is its label.", images=labelled)
        if record.labelled
        else say("This analysis used no labels, so it states no accuracy.")
    )
    ranks = (
        ""
        if len(records) >= FEWEST_PAIRS
        else say(
            "A rank correlation over models needs at least {least} models; there are {count}.",
            least=FEWEST_PAIRS,
            count=len(records),
        )
    )
    sentences = (
        say(
            "All {models} models were measured on the same {images}, {classes} and {descriptors:,} descriptors.",
            models=len(records),
            images=count,
            classes=classes,
            descriptors=about["bank"]["size"],
        ),
        say(
            "The area under the removal curve is the mean mutual-knowledge score while the visual concepts of an image "
            "are removed, the most relevant first. Other classes are the control: a model whose area does not exceed "
            "that of classes which it did not predict shows no knowledge of its class."
        ),
        say(
            "The reverse does not hold: a model that predicts few classes shares the same descriptors in most images, "
            "so read the area beside the number of classes predicted. Intervals are over images, for each model as it "
            "is."
        ),
        labels,
        MODELS.sentence(tests),
        ranks,
    )
    return tuple(sentence for sentence in sentences if sentence)


def _drawing(records: Mapping[str, KnowledgeRecord]) -> Drawing:
    n = len(next(iter(records.values())).images)
    title = say("Mean mutual-knowledge score of each model while concepts are removed")
    caption = say("{chart}, n = {n} images; intervals of the areas are in the table.", chart=title, n=n)
    return Drawing("removal", to_svg(_chart(_curves(records), list(records)), title), title, caption)


def _chart(curves: pd.DataFrame, names: list[str]) -> Any:
    # A model has its own pair of colour and dash, because there may be more models than colours.
    colours = [PALETTE[at % len(PALETTE)] for at in range(len(names))]
    dashes = [DASHES[at // len(PALETTE) % len(DASHES)] for at in range(len(names))]
    legend = alt.Legend(title=None, orient="bottom", columns=3, symbolType="stroke", labelLimit=170)
    shades, strokes = alt.Scale(domain=names, range=colours), alt.Scale(domain=names, range=dashes)
    return styled(
        alt.Chart(curves)
        .mark_line(strokeWidth=1.8)
        .encode(
            x=alt.X("removed:Q", title=say("removed concepts, the most relevant first")),
            y=alt.Y("curve:Q", title=say("mean score")),
            color=alt.Color("model:N", sort=names, scale=shades, legend=legend),
            strokeDash=alt.StrokeDash("model:N", sort=names, scale=strokes, legend=legend),
        )
        .properties(width=WIDTH - 60, height=230)
    )


def _curves(records: Mapping[str, KnowledgeRecord]) -> pd.DataFrame:
    parts = []
    for name, record in records.items():
        curves = {column: record.removal_curve(column) for column in ("curve", "control_curve")}
        longest = max(map(len, curves.values()))
        padded = {column: np.pad(values, (0, longest - len(values))) for column, values in curves.items()}
        parts.append(pd.DataFrame({"model": name, "removed": range(longest), **padded}))
    return pd.concat(parts).reset_index(drop=True)
