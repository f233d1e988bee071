"""Rules on concepts that carry scores although the texts do not mention them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from core.applications.reliance.families import CONCEPTS, DOMINANCE
from core.applications.reliance.measures import concept_table, dominance, leading, region_sums
from core.applications.reliance.record import RelianceRecord
from core.applications.reliance.standing import standing
from core.applications.reliance.verdicts import (
    INTERVAL,
    Sides,
    image_parts,
    judged,
    of_topic,
    outcome,
    quoted,
    samples_of,
    sides,
    wordings,
)
from core.languages import say
from core.rules import Context, Outcome, Rule, Wording

FEW_NAMES = Wording(
    "Inconclusive: too few names for the concepts of regions",
    "Regions were named from {candidates} candidates; at least {least_candidates} are needed. Give more, as option "
    "`concepts`.",
)

UNNAMED = Wording(
    "Inconclusive: unrelated concepts could not be tested, because no name of a region is confirmed",
    "None of the {kinds} kinds of regions has a name that is confirmed on held-out images. Whether they are related to "
    "a text is then not known, so that the check for unrelated concepts could not run.",
)
UNNAMED_LEADER = Wording(
    "Inconclusive: unrelated concepts that lead in most images could not be tested, because no name of a region is "
    "confirmed",
    UNNAMED.condition,
)


def concept_tests(record: RelianceRecord, context: Context) -> pd.DataFrame:
    """The rows of `concept_table` that are tested, judged: unrelated concepts in enough images of a topic."""
    thresholds = context.thresholds
    least, related = (float(thresholds[f"reliance.concept.{name}"]) for name in ("least_share", "most_related"))
    enough = int(thresholds["reliance.topics.least_images"])
    table = concept_table(record, least=least, most_related=related, enough=enough)
    return judged(table[table["surprise"] & table["low"].notna()], least, CONCEPTS, context)


def _few_names(record: RelianceRecord, context: Context) -> Outcome | None:
    """The outcome where regions were named from so few candidates that the nearest one may be wrong."""
    candidates = int(record.about["candidates"])
    if candidates >= int(context.thresholds["reliance.topics.least_candidates"]):
        return None
    return Outcome("cannot_conclude", wording="few_names", values={"candidates": candidates})


def _unnamed(record: RelianceRecord) -> Outcome | None:
    """The outcome where no kind of region has a name that stands, so that no concept is known to be unrelated."""
    if record.regions.empty or record.regions["related"].notna().any():
        return None
    return Outcome("cannot_conclude", wording="unnamed", values={"kinds": record.regions["kind"].nunique()})


def concept_shares(context: Context) -> Iterator[Outcome]:
    """The share of the score that unrelated concepts carry."""
    record = standing(context)
    if record is None:
        return
    if few := _few_names(record, context):
        yield few
        return
    if unnamed := _unnamed(record):
        yield unnamed
        return
    table = concept_tests(record, context)
    if table.empty:
        yield Outcome("cannot_conclude", wording="few")
        return
    related = float(context.thresholds["reliance.concept.most_related"])
    sums = region_sums(record)
    sums = sums[~sums["kin"].astype(bool) & (sums["related"] < related)]

    def parts_of(row: pd.Series) -> pd.DataFrame:
        return image_parts(of_topic(sums[sums["concept"] == row["concept"]], row["topic"]), "excess")

    yield outcome(table, _carried, sides(table, parts_of, float(context.thresholds["reliance.concept.least_share"])))


def _carried(row: Any) -> str:
    return say(
        "share of the score's gain lost with “{concept}” beyond the control, {topic} (relatedness {related:.2f})",
        concept=row.concept,
        topic=quoted(row.topic),
        related=row.related,
    )


def leading_concepts(context: Context) -> Iterator[Outcome]:
    """The share of each topic's images whose score rests most on one unrelated concept."""
    record = standing(context)
    if record is None:
        return
    if few := _few_names(record, context):
        yield few
        return
    if unnamed := _unnamed(record):
        yield unnamed
        return
    thresholds = context.thresholds
    least = float(thresholds["reliance.dominant.least_share"])
    related = float(thresholds["reliance.concept.most_related"])
    enough = int(thresholds["reliance.topics.least_images"])
    table = dominance(record, least=least, most_related=related, enough=enough)
    if table.empty:
        yield Outcome("cannot_conclude", wording="few")
        return
    table = judged(table, least, DOMINANCE, context)
    first = table.iloc[0]
    leads = leading(record, related)
    rows = of_topic(leads, first["topic"])
    led = rows["surprise"] & (rows["concept"] == first["concept"])
    # An image with several texts of the topic counts as led if one of them is, as in `dominance`.
    others = rows[~rows["image"].isin(rows[led]["image"])]
    samples, counter = (
        samples_of(image_parts(part, "excess").sort_values("part", ascending=False, kind="stable"))
        for part in (rows[led], others)
    )
    table["leader"] = [_leader(row) for row in table.itertuples()]
    images = len(set().union(*(of_topic(leads, topic)["image"] for topic in table["topic"])))
    # The value of a row is the share of its topic's images; findings come first, the largest value first.
    yield outcome(table, _led, Sides(float(first["value"]), images, samples, counter), counts=True)


def _leader(row: Any) -> str:
    if not row.concept:
        return quoted(row.topic)
    return say("“{concept}” in images of {topic}", concept=row.concept, topic=quoted(row.topic))


def _led(row: Any) -> str:
    return say("share of images led by “{concept}”, {topic}", concept=row.concept, topic=quoted(row.topic))


CAUSE = (
    "Hypothesis: a spurious correlation in the training data, so that the concept stands for the text; or a "
    "mislabelled kind of region."
)
CONCEPT = Rule(
    id="reliance.concept",
    english=True,
    subject="model",
    question="Does a concept that is unrelated to a text carry its score?",
    criterion="No concept that is unrelated to the text (rank by nearness to the text below {most_related:g}, neither "
    "a word of the text nor above or below one in WordNet) carries more than {least_share:.0%} of what the image adds "
    "to the score, beyond the same shape hidden elsewhere.",
    measure=concept_shares,
    thresholds=(
        "reliance.concept.least_share", "reliance.concept.most_related", "reliance.topics.least_images",
        "reliance.topics.least_candidates", "reliance.names.least_area", "reliance.names.least_near",
        "reliance.names.most_rank", "general.significance",
    ),
    wordings=wordings(
        "pairs of topic and unrelated concept",
        "\u201c{concept}\u201d and {topic}",
        finding=Wording(
            "Scores rely on \u201c{concept}\u201d, which the texts do not mention",
            "The largest: for {topic}, regions of the kind \u201c{concept}\u201d cover {area:.0%} of the image, and "
            f"hiding them removes {{fall:.0%}} of what the image adds to the score. Beyond the same shape hidden "
            f"elsewhere, this is {INTERVAL}.",
        ),
        passed="No tested unrelated concept carries scores beyond the limit",
        undecided="Inconclusive: whether an unrelated concept carries scores",
        few_names=FEW_NAMES,
        unnamed=UNNAMED,
        few=Wording(
            "Inconclusive: no unrelated concept is in enough images",
            "No unrelated concept names regions of at least {least_images} images of one topic.",
        ),
    ),
    samples="largest share of the score lost with the concept's regions, above the limit",
    counter="smallest share of the score lost with the concept's regions, within the limit",
    cause=CAUSE,
    effect="Images that match the text but lack this concept may score too low, and other images with it too high.",
    recommendation="Examine the regions. If the name is right, compare the scores of images with and without the "
    "concept, and balance it in the training data.",
)  # fmt: skip
DOMINANT = Rule(
    id="reliance.dominant",
    english=True,
    subject="model",
    question="Do most images of one class rely on the same unrelated concept?",
    criterion="In no class, prompt or caption word do more than {least_share:.0%} of the images rely most on the same "
    "unrelated concept.",
    measure=leading_concepts,
    thresholds=(
        "reliance.dominant.least_share", "reliance.concept.most_related", "reliance.topics.least_images",
        "reliance.topics.least_candidates", "reliance.names.least_area", "reliance.names.least_near",
        "reliance.names.most_rank", "general.significance",
    ),
    wordings=wordings(
        "topics",
        "{leader}",
        finding=Wording(
            "Most images of {topic} rely on \u201c{concept}\u201d",
            "The largest: \u201c{concept}\u201d, which is unrelated to the text, is the concept that carries most of "
            f"the score in this share of the images of {{topic}}: {INTERVAL}.",
        ),
        passed="No tested class relies on one unrelated concept in most of its images",
        undecided="Inconclusive: whether most images of a class rely on one unrelated concept",
        units=" Only images in which hiding some concept lowers the score more than its control does, and in which the "
        "leading concept has a confirmed name, are counted.",
        few_names=FEW_NAMES,
        unnamed=UNNAMED_LEADER,
        few=Wording(
            "Inconclusive: too few images per class to find a leading concept",
            "No class, prompt or caption word has at least {least_images} images in which the concept that carries "
            "most of the score has a confirmed name.",
        ),
    ),
    samples="images led by the concept, largest share of the score first",
    counter="images that rely most on something else",
    cause=CAUSE,
    effect="The class is recognised from co-occurring context and missed without it.",
    recommendation="Collect images of the class without this concept and compare their scores.",
)  # fmt: skip
