"""Rules on named regions of the image that carry scores: border, corners, background."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from core.applications.reliance import families
from core.applications.reliance.alikeness import ALIKE, ALSO, CRITERION, NATURAL, judged_alike
from core.applications.reliance.measures import EVERY, region_table
from core.applications.reliance.record import EDGES, PLACES_PART, REGIONS, RelianceRecord, of_run
from core.applications.reliance.surroundings import corner_table
from core.applications.reliance.verdicts import (
    INTERVAL,
    LOSS,
    Sides,
    image_parts,
    judged,
    of_topic,
    outcome,
    quoted,
    sides,
    values_of,
    wordings,
)  # fmt: skip
from core.languages import say
from core.rules import Context, Outcome, Rule, Wording
from core.rules.parts import NAMED

BORDER_ID, BACKGROUND_ID = "reliance.border", "reliance.background"


def region_tests(record: RelianceRecord, context: Context, rule: str) -> pd.DataFrame:
    """The rows of `region_table` that the rule of this id tests, judged: topics of enough images with an interval."""
    thresholds = context.thresholds
    least, enough = float(thresholds[f"{rule}.least_share"]), int(thresholds["reliance.topics.least_images"])
    names = EDGES if rule == BORDER_ID else ("background",)
    table = region_table(record, names, least=least, enough=enough)
    needed = table["topic"].eq(EVERY).map({True: int(thresholds["general.least_images"]), False: enough})
    table = table[(table["n"] >= needed) & table["low"].notna()]
    if rule == BORDER_ID:
        return judged_alike(table, record, least, families.REGIONS, context)
    return judged(table, least, families.REGIONS, context)


def _hidden(record: RelianceRecord, table: pd.DataFrame, least: float) -> Sides:
    """The images of a row's topic by the share of the score that hiding its region costs."""
    places = record.places.assign(excess=record.places["fall"] - record.places["control"])

    def parts_of(row: pd.Series) -> pd.DataFrame:
        return image_parts(of_topic(places[places["place"] == row["place"]], row["topic"]), "excess")

    return sides(table, parts_of, least)


def _lost(row: Any) -> str:
    return say(
        "share of the score's gain lost with the {region} beyond the control, {topic}",
        region=say(REGIONS[row.place]),
        topic=quoted(row.topic),
    )


def edge_shares(context: Context) -> Iterator[Outcome]:
    """The share of the score that is lost with the border or a corner."""
    record = context.record(of_run)
    if record is None:
        return
    record = record.measured(PLACES_PART)
    table = region_tests(record, context, BORDER_ID)
    if table.empty:
        yield Outcome("cannot_conclude", wording="few")
        return
    table["region"] = table["place"].map(REGIONS).map(say)
    least = float(context.thresholds["reliance.border.least_share"])
    yield outcome(table, _lost, _hidden(record, table, least), also=True)


def background_shares(context: Context) -> Iterator[Outcome]:
    """The share of a class's score that is lost with the background, and the share that the corners alone carry.

    Neither alone is enough: the presumed background may contain the object, but hardly in every corner.
    """
    record = context.record(of_run)
    if record is None:
        return
    record = record.measured(PLACES_PART)
    table = region_tests(record, context, BACKGROUND_ID)
    if table.empty:
        yield Outcome("cannot_conclude", wording="few" if record.about["foreground"] else "unknown")
        return
    thresholds = context.thresholds
    least, alone = (float(thresholds[f"reliance.background.least_{name}"]) for name in ("share", "alone"))
    if table.iloc[0]["verdict"] == "finding":
        corners = corner_table(record, least=alone, enough=int(thresholds["reliance.topics.least_images"]))
        both = with_corners(table, corners)
        confirmed = (both[["corner_low", "corner_own"]] > alone).all(axis=1)
        both = judged_alike(both, record, least, families.BACKGROUNDS, context, confirmed, regional=False)
        if both.empty or both.iloc[0]["verdict"] != "finding":
            # Classes whose corners are shown not to look alike are settled; whatever else exceeds the limit is open.
            settled = table["topic"].isin(list(both[both["verdict"] == "passed"]["topic"]))
            rest = table[(table["verdict"] == "finding") & ~settled]
            if len(rest):
                yield _unconfirmed(table, rest, corners, _hidden(record, table, least).images)
                return
            both = judged(table, least, families.BACKGROUNDS, context, natural=settled)
        table = both
    yield outcome(table, _lost, _hidden(record, table, least), also=True)


def with_corners(table: pd.DataFrame, corners: pd.DataFrame) -> pd.DataFrame:
    """The rows whose topic is a class with a row of `corner_table`, as `corner_low`, `corner_own` and so on.

    Both measures must hold, so that the larger p is that of both together (an intersection-union test).
    """
    both = table.join(corners.set_index("text").add_prefix("corner_"), on="topic", how="inner")
    return both.assign(p=both[["p", "corner_p"]].astype(float).max(axis=1))


def _unconfirmed(table: pd.DataFrame, rows: pd.DataFrame, corners: pd.DataFrame, images: int) -> Outcome:
    """Hiding the background costs more than the limit in `rows`, and the corners do not confirm it.

    images: how many images all tested topics have together.
    """
    first = rows.iloc[0]
    corner = corners[corners["text"] == first["topic"]]
    return Outcome(
        "cannot_conclude",
        n=images,
        wording="unconfirmed" if len(corner) else "no_class",
        values={
            **values_of(table),
            **first.to_dict(),
            "topic": quoted(first["topic"]),
            **(corner.iloc[0].add_prefix("corner_").to_dict() if len(corner) else {}),
        },
        evidence=tuple(LOSS.of(row, name=_lost(row)) for row in rows.head(NAMED).itertuples()),
    )


FEW = "A topic needs {least_images} images whose score the image raises; all texts together need {least_images}."
BORDER = Rule(
    id=BORDER_ID,
    subject="model",
    question="Do scores rely on the border or a corner of the image?",
    criterion="Hiding the border or a corner removes at most {least_share:.0%} of what the image adds to the score, "
    "beyond the same shape hidden elsewhere." + CRITERION,
    measure=edge_shares,
    thresholds=(
        "reliance.border.least_share", "reliance.alike.least_alike", "reliance.topics.least_images",
        "general.least_images", "general.significance",
    ),
    wordings=wordings(
        "pairs of topic and region",
        "the {region} and {topic}",
        finding=Wording(
            "Scores of {topic} rely on the {region}",
            "The largest: hiding the {region} removes {fall:.0%} of what the image adds to the score of {topic}. "
            f"Beyond the same shape hidden elsewhere, this is {INTERVAL}." + ALIKE,
        ),
        passed="No tested score relies on a border or a corner that looks alike from image to image",
        holds=NATURAL,
        undecided="Inconclusive: whether scores rely on the border or a corner",
        also="{look}" + ALSO.format(needs=""),
        few=Wording("Inconclusive: too few images to test the border and the corners", FEW),
    ),
    samples="largest share of the score lost with the region, above the limit",
    counter="smallest share of the score lost with the region, within the limit",
    cause="Hypothesis: a mark, frame, date or watermark at a fixed position co-occurs with this text.",
    effect="A high score indicates that this region is present, not what the text describes.",
    recommendation="Examine this region in the images; crop or cover it and audit again.",
)  # fmt: skip
BACKGROUND = Rule(
    id=BACKGROUND_ID,
    subject="model",
    question="Does the score of a class rely on the background?",
    criterion="Hiding the region identified as background removes at most {least_share:.0%} of what the image adds to "
    "the score, beyond the same shape hidden elsewhere. For a finding, the mean over the four corners, each shown "
    "alone, must also be more than {least_alone:.0%} of the score of the class, both in total and beyond the corners "
    "of other images."
    + CRITERION,
    measure=background_shares,
    thresholds=(
        "reliance.background.least_share", "reliance.background.least_alone", "reliance.alike.least_alike",
        "reliance.topics.least_images", "general.least_images", "general.significance",
    ),
    wordings=wordings(
        "topics",
        "{topic}",
        finding=Wording(
            "Scores of {topic} rely on the background",
            "The largest: hiding the background removes {fall:.0%} of what the image adds to the score of {topic}. "
            f"Beyond the same shape hidden elsewhere, this is {INTERVAL}. A corner of its images alone carries, as a "
            "mean over the four, {corner_own:.0%} of the score; beyond those of other images, {corner_value:.0%} "
            "[{corner_low:.0%}, {corner_high:.0%}]." + ALIKE,
        ),
        passed="No tested score relies on a background that looks alike from image to image",
        holds=NATURAL,
        undecided="Inconclusive: whether scores rely on the background",
        also=ALSO.format(needs="corners that alone carry more than {least_alone:.0%} of the score, "),
        few=Wording("Inconclusive: too few images to test the background", FEW),
        unknown=Wording(
            "Inconclusive: the background is not known",
            "The model does not expose features per patch, so that no foreground can be identified.",
        ),
        unconfirmed=Wording(
            "Inconclusive: the presumed background carries score but may contain the object",
            "Hiding it removes {fall:.0%} of what the image adds to the score of {topic}, but a corner of its "
            "images alone carries {corner_own:.0%} of it, as a mean over the four, and one of other images "
            "{corner_others:.0%}.",
        ),
        no_class=Wording(
            "Inconclusive: the presumed background carries score but may contain the object",
            "Hiding it removes {fall:.0%} of what the image adds to the score of {topic}. Corners alone can be tested "
            "only for a class that is predicted for at least {least_images} images and not for as many others.",
        ),
    ),
    samples="largest share of the score lost with the background, above the limit",
    counter="smallest share of the score lost with the background, within the limit",
    cause="Hypothesis: a scene, surface or studio co-occurs with this class; or the region was wrongly identified as "
    "background.",
    effect="A high score indicates the surroundings, not what the text describes.",
    recommendation="Score the same objects in front of other backgrounds. For a text that describes a scene this "
    "reliance is legitimate.",
)  # fmt: skip
