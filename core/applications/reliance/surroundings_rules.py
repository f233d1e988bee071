"""Rules on regions shown alone: a mark that carries the score of a class, and surroundings in every corner."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pandas as pd

from core.applications.reliance import families
from core.applications.reliance.alikeness import ALIKE, ALSO, CRITERION, NATURAL, judged_alike
from core.applications.reliance.record import CORNERS, EDGES, PLACES_PART, REGIONS, of_run
from core.applications.reliance.surroundings import alone_table, corner_table
from core.applications.reliance.verdicts import INTERVAL, image_parts, outcome, quoted, sides, untested, wordings
from core.languages import say
from core.rules import Context, Outcome, Rule, Wording
from core.statistics import Family


def mark_shares(context: Context) -> Iterator[Outcome]:
    """The share of a class's score that the border or one corner carries alone."""
    yield from _alone(context, "reliance.alone", families.ALONE)


def surroundings_shares(context: Context) -> Iterator[Outcome]:
    """The share of a class's score that the four corners of its images carry, each shown alone, on average."""
    yield from _alone(context, "reliance.surroundings", families.SURROUNDINGS)


def _alone(context: Context, rule: str, family: Family) -> Iterator[Outcome]:
    record = context.record(of_run)
    if record is None:
        return
    record = record.measured(PLACES_PART)
    least = float(context.thresholds[f"{rule}.least_share"])
    enough = int(context.thresholds["reliance.topics.least_images"])
    if family is families.SURROUNDINGS:
        table = corner_table(record, least=least, enough=enough)
    else:
        table = alone_table(record, EDGES, least=least, enough=enough)
    if table.empty:
        yield Outcome("cannot_conclude", wording="few")
        return
    left = untested(context.run.plan.texts.classes or tuple(record.alone["text"].unique()), table["text"])
    # Beyond other images is not enough: a region that counts against the class carries none of its score.
    table = table.rename(columns={"text": "topic"})
    table = judged_alike(table, record, least, family, context, table["own"] > least)
    table["region"] = table["place"].map({**REGIONS, "corners": "corners"}).map(say)
    yield outcome(table, _carried, sides(table, partial(_own_images, record.alone), least), also=True, values=left)


def _own_images(alone: pd.DataFrame, row: pd.Series) -> pd.DataFrame:
    """The class's own images, and which part of the score the region carries alone in each."""
    places = list(CORNERS) if row["place"] == "corners" else [row["place"]]
    rows = alone[alone["place"].isin(places) & (alone["text"] == row["topic"]) & alone["best"].astype(bool)]
    return image_parts(rows, "shown")


def _carried(row: Any) -> str:
    return say(
        "share of the score's gain in the {region} alone beyond other images, {topic}",
        region=row.region,
        topic=quoted(row.topic),
    )


THRESHOLDS = ("reliance.alike.least_alike", "reliance.topics.least_images", "general.significance")
FEW = Wording(
    "Inconclusive: whether one image region alone carries the score of a class",
    "This needs a class that is predicted for at least {least_images} images and not for as many others.",
)
# In total and beyond other images.
# Which classes a verdict is not about.
UNTESTED = (
    " Classes that could not be tested, because they are predicted for fewer than {least_images} images, or not for as "
    "many others: {untested}."
)
TOTAL = " In total it carries {own:.0%}." + "{look}" + ALSO.format(needs="a total above {least_share:.0%}, ")
ALONE = Rule(
    id="reliance.alone",
    subject="model",
    question="Does the border or one corner of a class's images carry its score alone?",
    criterion="Shown alone, the border or a corner carries at most {least_share:.0%} of what the whole image adds to "
    "the score of its class, either in total or beyond the same region of other images." + CRITERION,
    measure=mark_shares,
    thresholds=("reliance.alone.least_share", *THRESHOLDS),
    wordings=wordings(
        "pairs of class and region",
        "the {region} and {topic}",
        finding=Wording(
            "The {region} alone carries scores of {topic}",
            "The largest: shown alone, the {region} of images of {topic} carries {own:.0%} of what the whole image "
            f"adds to the score, and that of other images {{others:.0%}}. The difference is {INTERVAL}." + ALIKE,
        ),
        passed="No border or corner that looks alike from image to image alone carries the score of a class "
        "({classes} of {every} classes could be tested)",
        undecided="Inconclusive: whether the border or a corner alone carries the score of a class",
        holds=NATURAL + UNTESTED,
        also=TOTAL + UNTESTED,
        few=FEW,
    ),
    samples="largest share of the score in the region alone, above the limit",
    counter="smallest share of the score in the region alone, within the limit",
    cause="Hypothesis: a mark, frame, date or watermark co-occurs with this class; or its objects extend into the "
    "region.",
    effect="An image with the mark may be assigned the class whatever it shows, even where hiding the mark costs "
    "little.",
    recommendation="Examine this region in the images; crop or cover it and audit again.",
)
SURROUNDINGS = Rule(
    id="reliance.surroundings",
    subject="model",
    question="Do the corners of a class's images, each shown alone, carry its score?",
    criterion="The mean over the four corners, each shown alone, is at most {least_share:.0%} of what the whole image "
    "adds to the score of its class, either in total or beyond the corners of other images." + CRITERION,
    measure=surroundings_shares,
    thresholds=("reliance.surroundings.least_share", *THRESHOLDS),
    wordings=wordings(
        "classes",
        "{topic}",
        finding=Wording(
            "Scores of {topic} rely on surroundings that reach the corners of its images",
            "The largest: a corner of images of {topic}, shown alone, carries {own:.0%} of what the whole image adds "
            f"to the score, as a mean over the four corners, and one of other images {{others:.0%}}. The difference is "
            f"{INTERVAL}." + ALIKE,
        ),
        passed="In no class do surroundings that look alike across images carry the score on their own "
        "({classes} of {every} classes could be tested)",
        undecided="Inconclusive: whether surroundings alone carry the score of a class",
        holds=NATURAL + UNTESTED,
        also=TOTAL + UNTESTED,
        few=FEW,
    ),
    samples="largest share of the score in the corners alone, above the limit",
    counter="smallest share of the score in the corners alone, within the limit",
    cause="Hypothesis: a background, texture, lighting or style of rendering co-occurs with this class.",
    effect="Another object in the same surroundings may be assigned the class, and the object may be missed in other "
    "surroundings.",
    recommendation="Score the same objects in front of other backgrounds. For a class that is a scene this reliance is "
    "legitimate.",
)
