"""The columns of the tables on what scores rest on, for the report and the page. No torch."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import pandas as pd

from core.applications.reliance.measures import topic_title
from core.applications.reliance.profile import Example
from core.applications.reliance.record import REGIONS
from core.applications.reliance.standing import concept_title, kind_title
from core.content.tables import ColumnSpec, TableSpec
from core.content.words import bounded, measured, number, p_value, percent, plural, shorten
from core.languages import say
from core.statistics import FEWEST

NONE = "none"
OUTCOMES = {"finding": "finding", "passed": "passed", "cannot_conclude": "cannot conclude"}  # messages


@dataclass(frozen=True)
class ProfileRow:
    """A concept of a text's profile, as in `profile_table`, with its samples and counter-samples."""

    topic: str
    images: int
    concept: str
    relation: str
    value: float
    low: float
    high: float
    n: int
    area: float
    attribution: float
    samples: list[Example]
    counter: list[Example]

    @classmethod
    def of(cls, row: Any, parts: tuple[list[Example], list[Example]]) -> ProfileRow:
        """A row of `profile_table` with its samples and counter-samples."""
        samples, counter = parts
        names = (field.name for field in fields(cls) if field.name not in ("samples", "counter"))
        return cls(**{name: getattr(row, name) for name in names}, samples=samples, counter=counter)


def share_of_row(row: Any) -> str:
    """The share of a row of a profile, with its interval or why there is none; none of fewer than `FEWEST` images."""
    value, low, high, n = row.value, row.low, row.high, row.n
    if pd.isna(value):
        return say("n = {n}: not determined", n=n)
    if n < FEWEST:
        return say("n = {n}: no interval", n=n)
    if pd.isna(low):
        return say("{value}, n = {n}: no interval", value=percent(value), n=n)
    return say("{value} [{low}, {high}], n = {n}", value=percent(value), low=percent(low), high=percent(high), n=n)


def profile_name(row: Any) -> str:
    """The concept of a row of a profile, with its relation to the text."""
    concept = concept_title(row.concept)
    return f"{concept} ({say(row.relation)})" if row.relation else concept


def _measured(row: Any) -> str:
    return measured(row.value, row.low, row.high, int(row.n))


def _bounded(row: Any) -> str:
    return bounded(row.value, row.low, row.high)


def _adjusted(row: Any) -> str:
    return p_value(row.p_adjusted, say("not tested"))


def _examples(parts: list[Example]) -> str:
    return "; ".join(f"{shorten(each.name, 28)} {percent(each.part)}" for each in parts) or say(NONE)


_LOSS = "share of what the whole image adds to the score that is lost when it is hidden"
_BEYOND = (
    "loss beyond that of the same shape hidden elsewhere, as a share of what the whole image adds to the score, with "
    "95 % interval over images"
)
_ATTRIBUTION = "mean share of the maps inside these regions"
REGION_SHARES = TableSpec(
    ColumnSpec("Texts", lambda row: shorten(topic_title(row.topic), 40), share=24),
    ColumnSpec("Region", lambda row: say(REGIONS[row.place]), share=20, help="fixed part of every image"),
    ColumnSpec("Loss of score", lambda row: percent(row.fall), "number", 13, _LOSS),
    ColumnSpec("Share beyond the control", _measured, "number", 30, _BEYOND),
    ColumnSpec("Images with a larger loss", lambda row: percent(row.images), "number", only="page"),
    ColumnSpec("Adjusted p", _adjusted, "number", 13),
)
CONCEPT_SHARES = TableSpec(
    ColumnSpec("Texts", lambda row: shorten(topic_title(row.topic), 30), share=18),
    ColumnSpec("Concept", lambda row: concept_title(row.concept), share=16),
    ColumnSpec(
        "Relatedness",
        lambda row: number(row.related, 2),
        "number",
        10,
        "rank of the concept by nearness to the text among all candidates, from 0 to 1",
    ),
    ColumnSpec("Loss of score", lambda row: percent(row.fall), "number", help=_LOSS, only="page"),
    ColumnSpec("Share beyond the control", _measured, "number", 26, _BEYOND),
    ColumnSpec("Attribution", lambda row: percent(row.share), "number", 11, _ATTRIBUTION),
    ColumnSpec("Area", lambda row: percent(row.area), "number", 8, "share of the image that these regions cover"),
    ColumnSpec("Adjusted p", _adjusted, "number", 11),
)
PREVALENCE = TableSpec(
    ColumnSpec("Concept", lambda row: concept_title(row.concept), share=28),
    ColumnSpec("Share of images", _bounded, "number", 30, "share of the images that have it, with 95 % interval"),
    ColumnSpec("Area where present", lambda row: percent(row.area), "number", 16),
    ColumnSpec("Most often beside", lambda row: concept_title(row.beside) or say(NONE), share=26),
    ColumnSpec("n", "n", "number", help="images", value="n", only="page"),
)
IMAGE_REGIONS = TableSpec(
    ColumnSpec("Concept", "concept"),
    ColumnSpec("Nearest concept of the region alone", "nearest"),
    ColumnSpec("Relatedness", lambda row: number(row.related, 2), "number"),
    ColumnSpec("Loss when hidden", lambda row: number(row.fall, 4), "number", value=lambda row: round(row.fall, 4)),
    ColumnSpec(
        "Control",
        lambda row: number(row.control, 4),
        "number",
        help="mean loss when the same shape is hidden elsewhere",
        value=lambda row: round(row.control, 4),
    ),
    ColumnSpec("Shown alone", lambda row: number(row.only, 4), "number", value=lambda row: round(row.only, 4)),
    ColumnSpec("Attribution", lambda row: percent(row.share), "number", help=_ATTRIBUTION),
    ColumnSpec("Area", lambda row: percent(row.area), "number"),
)
WORDS = TableSpec(
    ColumnSpec("Measure", "name", share=66),
    ColumnSpec("Value", _bounded, "number", 20, "with 95 % interval"),
    ColumnSpec("n", lambda row: f"{row.n} {say(row.counted)}", "number", 14),
)
LEAST_WORDS = TableSpec(
    ColumnSpec("Word", "word", share=30),
    ColumnSpec(
        "Mean effect",
        lambda row: percent(row.value),
        "number",
        20,
        "change when the word is left out, relative to the typical word",
    ),
    ColumnSpec(
        "Range over sentences",
        lambda row: say("{low} to {high}", low=percent(row.low), high=percent(row.high)),
        "number",
        32,
    ),
    ColumnSpec("Sentences", "n", "number", 18, value="n"),
)
CHECKS = TableSpec(
    ColumnSpec("Check", "id"),
    ColumnSpec("Outcome", lambda finding: say(OUTCOMES[finding.status])),
    ColumnSpec("Statement", "title"),
    ColumnSpec("Condition", "condition"),
)
PROFILE = TableSpec(
    ColumnSpec("Text (images)", lambda row: shorten(f"{topic_title(row.topic)} ({row.images})", 32), share=13),
    ColumnSpec("Concept", profile_name, share=16, help="with its relation to the text"),
    ColumnSpec("Share beyond the control", share_of_row, "number", 19, _BEYOND),
    ColumnSpec(
        "Attribution / area",
        lambda row: f"{percent(row.attribution)} / {percent(row.area)}",
        "number",
        11,
        "share of the consensus map of the trusted methods inside these regions, and share of the image that they "
        "cover",
    ),
    ColumnSpec("Samples", lambda row: _examples(row.samples), share=20, only="report"),
    ColumnSpec("Counter-samples", lambda row: _examples(row.counter), share=20, only="report"),
)
ALONE_TITLES = {"border": "border", "corners": "corners, mean of the four"}  # messages
SURROUNDINGS = TableSpec(
    ColumnSpec("Class", lambda row: shorten(row.topic, 30), share=16),
    ColumnSpec("Region shown alone", lambda row: say(ALONE_TITLES.get(row.place, row.place)), share=23),
    ColumnSpec("Share of the score", lambda row: percent(row.own), "number", 12),
    ColumnSpec("Beyond other images", share_of_row, "number", 32),
    ColumnSpec(
        "Alike",
        lambda row: (
            bounded(row.alike_value, row.alike_low, row.alike_high) if pd.notna(row.alike_value) else say("n/a")
        ),
        "number",
        17,
    ),
)
DECLARED = TableSpec(
    ColumnSpec("Text", lambda row: shorten(topic_title(row.topic), 24), share=16),
    ColumnSpec("Concept", "concept", share=17),
    ColumnSpec("Declared", lambda row: say(row.expectation), share=12),
    ColumnSpec("Share beyond the control", share_of_row, "number", 23, _BEYOND),
    ColumnSpec(
        "Detectable",
        lambda row: percent(row.smallest),
        "number",
        10,
        "the share that would have been shown with 90 % power",
    ),
    ColumnSpec("Adjusted p", _adjusted, "number", 9),
    ColumnSpec("Outcome", lambda row: say(OUTCOMES[row.verdict]), share=13),
)


def _rivals(row: Any) -> str:
    """The first names that are as near as the candidate, and how many more there are; n/a where it was not checked."""
    if row.rivals is None:
        return say("n/a")
    named, more = ", ".join(row.rivals[:MOST_RIVALS]), len(row.rivals) - MOST_RIVALS
    return f"{named} {say('and {count} more', count=more)}" if more > 0 else named or say(NONE)


MOST_RIVALS = 2
NAMES = TableSpec(
    ColumnSpec("Concept", lambda row: row.name if row.stands else concept_title(kind_title(int(row.kind))), share=13),
    ColumnSpec("Candidate name", "name", share=11),
    ColumnSpec(
        "Confirmed",
        lambda row: say("yes" if row.stands else "no"),
        share=11,
        help="whether the name separates the regions from others, no other name is as near, and it is near enough of "
        "them, on images that had no part in its choice",
    ),
    ColumnSpec(
        "Area under the ROC curve",
        lambda row: bounded(row.area, row.low, row.high) if pd.notna(row.area) else say("n/a"),
        "number",
        16,
        "of the name's cosine, regions of the kind against all others, with 95 % interval",
    ),
    ColumnSpec(
        "Near",
        lambda row: percent(row.near),
        "number",
        7,
        "share of the regions that have the name among their three nearest ones",
    ),
    ColumnSpec(
        "Rank when hidden",
        lambda row: f"{row.lost:.0f}" if pd.notna(row.lost) else say("n/a"),
        "number",
        8,
        "rank of the name, among all, by what whole images lose when these regions are hidden",
    ),
    ColumnSpec("As near", _rivals, share=15, help="names that are not shown to be farther from the regions"),
    ColumnSpec("n", lambda row: f"{row.inside} / {row.outside}", "number", 8, "images with / without such regions"),
    ColumnSpec(
        "Regions",
        lambda row: say("{count} in {images}", count=row.regions, images=plural(int(row.images), "image")),
        "number",
        11,
    ),
)
