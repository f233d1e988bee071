"""Rules on concepts that the auditor declared: a forbidden one that carries score, an expected one that does not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from core.applications.declared import Declaration, declarations
from core.applications.reliance.declared import against, declared_table, image_amounts, least_of
from core.applications.reliance.families import DECLARED
from core.applications.reliance.standing import standing
from core.applications.reliance.verdicts import INTERVAL, LOSS, quoted, samples_of
from core.languages import say
from core.rules import Context, Outcome, Rule, Wording

LOST_SHARE = replace(LOSS, tests=DECLARED)


def forbidden_concepts(context: Context) -> Iterator[Outcome]:
    """One outcome per forbidden concept."""
    yield from _outcomes(context, "forbidden")


def expected_concepts(context: Context) -> Iterator[Outcome]:
    """One outcome per expected concept."""
    yield from _outcomes(context, "expected")


def _outcomes(context: Context, expectation: str) -> Iterator[Outcome]:
    record = standing(context)
    table = context.once(declared_table)
    if record is None or table is None:
        return
    limit, least = float(context.thresholds["reliance.declared.least_share"]), least_of(context)
    tested = int(table["p"].notna().sum())
    for at, each in enumerate(declarations(record.about["options"]["declared"])):
        if each.expectation == expectation:
            yield _outcome(table.iloc[at], each, at + 1, image_amounts(record, each, least), limit, tested)


def _outcome(
    row: pd.Series, each: Declaration, number: int, images: pd.DataFrame, limit: float, tested: int
) -> Outcome:
    # Over the mean gain: an image that hardly raises the score has no extreme part.
    parts = images.assign(part=images["excess"] / images["total"].mean()).sort_values(
        "part", ascending=False, kind="stable"
    )
    beyond = parts["part"] > limit if each.forbidden else parts["part"] < limit
    finding, shows = row["verdict"] == "finding", parts if each.forbidden else parts.iloc[::-1]
    wrong = beyond.reindex(shows.index)
    wording = "" if np.isfinite(row["low"]) else "few" if row["n"] else "absent"
    return Outcome(
        row["verdict"],
        wording=wording,
        n=int(row["n"]),
        likelihood=float(beyond.mean()) if len(parts) else 0.0,
        values={
            **row.to_dict(),
            "topic": quoted(row["topic"]),
            "expectation": say("forbidden") if each.forbidden else say("expected"),
            "tested": tested,
        },
        against=against(row, limit, tested),
        evidence=(LOST_SHARE.of(row, name=_name(row)),) if row["n"] else (),
        samples=samples_of(shows[wrong]) if finding else (),
        counter=samples_of(shows[~wrong].iloc[::-1]) if finding else (),
        part=str(number),
    )


def _name(row: pd.Series) -> str:
    return say(
        "share of the score's gain lost with “{concept}” beyond the control, {topic}",
        concept=row["concept"],
        topic=quoted(row["topic"]),
    )


LOST = (
    "Of what an image adds to the score of {topic}, this share is lost with the regions that show "
    f"\u201c{{concept}}\u201d, beyond the same shapes hidden elsewhere: {INTERVAL} (of {{images}} images of the text)."
)
FEW = Wording(
    "Inconclusive: too few images show \u201c{concept}\u201d ({expectation} for {topic})",
    "n = {n} of {images} images of the text show it in a region and have a score that the image raises; an interval "
    "needs 8.",
)
ABSENT = Wording(
    "Inconclusive: no image shows \u201c{concept}\u201d ({expectation} for {topic})",
    "In none of {images} images of the text does the name of a region stand and equal the concept, nor is the "
    "concept nearer than {least_rank:.0%} of the names to a region of an image that it is nearer to than "
    "{least_whole:.0%}, or that has a caption which names it.",
)
TESTED = " Declared concepts tested together: {tested}, adjusted by Holm's method."
THRESHOLDS = (
    "reliance.names.least_area", "reliance.names.least_near", "reliance.names.most_rank",
    "reliance.declared.least_share", "reliance.declared.least_rank", "reliance.declared.least_whole",
    "general.significance",
)  # fmt: skip
FORBIDDEN = Rule(
    id="reliance.forbidden",
    subject="model",
    question="Do scores rely on a concept that the auditor declared forbidden?",
    criterion="Regions that show a concept declared forbidden carry at most {least_share:.0%} of what the image adds "
    "to the score, beyond the same shapes hidden elsewhere.",
    measure=forbidden_concepts,
    thresholds=THRESHOLDS,
    wordings={
        "finding": Wording(
            "Scores of {topic} rely on \u201c{concept}\u201d, which is declared forbidden", LOST + TESTED
        ),
        "passed": Wording(
            "Scores of {topic} do not rely on \u201c{concept}\u201d, which is declared forbidden", LOST + TESTED
        ),
        "cannot_conclude": Wording(
            "Inconclusive: whether scores of {topic} rely on \u201c{concept}\u201d, which is declared forbidden",
            LOST + TESTED,
        ),
        "few": FEW,
        "absent": ABSENT,
    },
    samples="largest share of the score lost with the concept's regions, above the limit",
    counter="smallest share of the score lost with the concept's regions, within the limit",
    cause="Hypothesis: the concept co-occurs with the text in the training data; or other content lies in the same "
    "regions.",
    effect="Scores change with a concept that they must not depend on.",
    recommendation="Examine the regions; compare scores of images with and without the concept, and remove or balance "
    "it in the training data.",
)
EXPECTED = Rule(
    id="reliance.expected",
    subject="model",
    question="Do scores rely on the concepts that the auditor declared expected?",
    criterion="Regions that show a concept declared expected carry at least {least_share:.0%} of what the image adds "
    "to the score, beyond the same shapes hidden elsewhere.",
    measure=expected_concepts,
    thresholds=THRESHOLDS,
    wordings={
        "finding": Wording(
            "Scores of {topic} do not rely on \u201c{concept}\u201d, which is declared expected", LOST + TESTED
        ),
        "passed": Wording("Scores of {topic} rely on \u201c{concept}\u201d, as declared expected", LOST + TESTED),
        "cannot_conclude": Wording(
            "Inconclusive: whether scores of {topic} rely on \u201c{concept}\u201d, which is declared expected",
            LOST + TESTED,
        ),
        "few": FEW,
        "absent": ABSENT,
    },
    samples="smallest share of the score lost with the concept's regions, within the limit",
    counter="largest share of the score lost with the concept's regions, above the limit",
    cause="Hypothesis: other content of the images predicts the text as well; or the regions do not show the concept.",
    effect="The score may be right for another reason than the one that its use assumes.",
    recommendation="Examine the regions and what carries the score instead, in the profile of the text.",
)
