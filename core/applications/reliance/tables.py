"""Tables that the report and the page share: regions, concepts and words; and maps of regions. No torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.applications.reliance.concept_rules import concept_tests
from core.applications.reliance.measures import concept_table, region_table
from core.applications.reliance.record import PLACES_PART, REGIONS, STICKERS_PART, RelianceRecord
from core.applications.reliance.region_rules import BACKGROUND_ID, BORDER_ID, region_tests
from core.applications.reliance.susceptibility import function_words, stickers, templates, word_effects
from core.languages import say
from core.rules import Context
from core.rules.parts import title_of
from core.statistics import share_of_images

ENOUGH_TO_LIST = 2
# What printed words change, in the order of the rows.
PRINTED_NAMES = (
    "Fall of the margin caused by a printed class name beyond letters, in spreads",
    "Share of images in which the printed name becomes the predicted class",
    "Share of images in which the same class is predicted with letters",
    "Share of images whose predicted class the printed name changes",
    "Share of images whose predicted class the letters change",
)  # messages


def region_shares(record: RelianceRecord, context: Context) -> pd.DataFrame:
    """`region_table` of every region, topics of enough images; `p_adjusted` is that of the rule which tests the row.

    It is NaN where no rule does: for the foreground, and for topics of too few images.
    """
    record = record.measured(PLACES_PART)
    enough = int(context.thresholds["reliance.topics.least_images"])
    table = region_table(record, REGIONS, least=0.0, enough=enough).drop(columns="p")
    tests = pd.concat([region_tests(record, context, rule) for rule in (BORDER_ID, BACKGROUND_ID)])
    return table.merge(tests[["topic", "place", "p_adjusted"]], on=["topic", "place"], how="left")


def concept_shares(record: RelianceRecord, context: Context) -> pd.DataFrame:
    """`concept_table` with every concept of two images or more, surprises first.

    `p_adjusted` is that of the rule, which tests unrelated concepts in enough images; NaN for the others.
    """
    thresholds = context.thresholds
    least, related = (float(thresholds[f"reliance.concept.{name}"]) for name in ("least_share", "most_related"))
    table = concept_table(record, least=least, most_related=related, enough=ENOUGH_TO_LIST)
    key = ["topic", "concept", "surprise"]
    table = table.merge(concept_tests(record, context)[[*key, "p_adjusted"]], on=key, how="left")
    return table.sort_values(["surprise", "value"], ascending=False, kind="stable", ignore_index=True)


def concept_prevalence(record: RelianceRecord) -> pd.DataFrame:
    """The dataset's concepts: one row per concept with its prevalence and mean area over images.

    Columns `concept`, `value` (share of images that have it), `low`, `high`, `n`, `area` (in those images), `beside`
    (the concept that most often shares an image with it, "" if none does).
    """
    regions = record.regions.drop_duplicates(["image", "region"])
    images = record.images["image"].to_numpy()
    has = {concept: set(part["image"]) for concept, part in regions.groupby("concept", sort=True)}
    rows = []
    for concept, inside in has.items():
        flags = np.array([float(image in inside) for image in images])
        share = share_of_images(flags, images)
        area = regions[regions["concept"] == concept].groupby("image")["area"].sum().mean()
        others = {other: len(inside & also) for other, also in has.items() if other != concept}
        beside = max(others, key=lambda name: (others[name], name)) if any(others.values()) else ""
        rows.append({"concept": concept, **vars(share), "area": float(area), "beside": beside})
    columns = ["concept", "value", "low", "high", "n", "area", "beside"]
    return pd.DataFrame(rows, columns=columns).sort_values("value", ascending=False, kind="stable", ignore_index=True)


def word_measures(record: RelianceRecord, context: Context) -> pd.DataFrame:
    """One row per number about words: `name`, `value`, `low`, `high`, `n` and the unit that `n` counts (`counted`)."""
    thresholds = context.thresholds
    rows: list[dict[str, Any]] = []

    def add(name: str, value: Any, counted: str = "images") -> None:
        ends = {key: getattr(value, key) for key in ("value", "low", "high")}
        rows.append({"name": name, **ends, "n": int(value.n), "counted": counted})

    printed = stickers(record.measured(STICKERS_PART), least=float(thresholds["reliance.typographic.least_effect"]))
    if printed.effect.n:
        for name, value in zip(
            PRINTED_NAMES,
            (printed.effect, printed.flips, printed.letter_flips, printed.changes, printed.letter_changes),
            strict=True,
        ):
            add(say(name), value)
    if len(record.templates):
        own = context.run.plan.texts.templates
        change = templates(record, own, least=float(thresholds["prompts.templates.most_changed"]))
        if change.count:
            name = say(
                "Share of the {count} templates besides the plan's that give another predicted class",
                count=change.count,
            )
            add(name, change.change)
        add(say("Standard deviation over templates of the predicted class's score, in spreads"), change.spread)
    for row in function_words(record, least=float(thresholds["words.function.most_excess"])).itertuples():
        method = title_of(row.method)
        name = say("Attribution on function words beyond their share of the words ({method})", method=method)
        add(name, row, "texts")
    return pd.DataFrame(rows, columns=["name", "value", "low", "high", "n", "counted"])


def least_words(record: RelianceRecord, most: int) -> pd.DataFrame:
    """The `most` content words that change least when they are left out (`word_effects`)."""
    return word_effects(record).head(most)


def region_map(part: pd.DataFrame, column: str = "fall") -> NDArray[np.float64]:
    """The map `(rows, columns)` of one image and text: at each cell the value of `column` for its region."""
    rows = (
        np.asarray(row.cells, dtype=float).reshape(int(row.rows), int(row.columns)) * getattr(row, column)
        for row in part.itertuples()
    )
    return np.sum(list(rows), axis=0, dtype=np.float64)
