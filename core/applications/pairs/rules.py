"""The rule on captions that do not fit their images."""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import NormalDist

import pandas as pd

from core.applications.pairs.card import BORDER
from core.applications.pairs.measures import SUSPECT, mismatch, suspects
from core.applications.pairs.record import CaptionRow, PairsRecord
from core.content.words import percent
from core.languages import say, typeset
from core.rules import Context, Outcome, Rule, Sample, Wording
from core.rules.decision import decision, status_of
from core.rules.parts import SAMPLES
from core.rules.quantity import Quantity
from core.runs.rows import typed
from core.statistics import LEVEL

_Z = NormalDist().inv_cdf((1 + LEVEL) / 2)
MISMATCHES = Quantity("estimated share of captions that do not fit their image")


def exchanged_captions(context: Context) -> Iterator[Outcome]:
    """The estimated share of captions that fit no better than a caption of another image."""
    record = context.record(PairsRecord.of_run)
    if record is None:
        return
    most = float(context.thresholds["pairs.captions.most_share"])
    estimate, listed = mismatch(record), suspects(record)
    least_n = int(context.thresholds["general.least_images"])
    verdict = status_of([decision(estimate, most, at_most=True, least_n=least_n)])
    finding = verdict == "finding"
    assert estimate.value is not None
    yield Outcome(
        verdict,
        n=estimate.n,
        likelihood=estimate.value,
        values={**vars(estimate), "listed": len(listed), "needed": _needed(most)},
        evidence=(MISMATCHES.of(estimate),),
        samples=_samples(listed.head(SAMPLES)) if finding else (),
        counter=_samples(record.captions.nlargest(SAMPLES, "fit")) if finding else (),
    )


def _needed(most: float) -> int | str:
    """How many images show that at most this share does not fit, where none lies beyond the border (Wilson)."""
    return math.ceil(_Z**2 * (1 / ((1 - BORDER) * most) - 1)) if most > 0 else say("no finite number of")


def _samples(rows: pd.DataFrame) -> tuple[Sample, ...]:
    return tuple(
        Sample(
            image=row.image,
            image_name=row.image_name,
            text=row.caption,
            note=typeset(say("{share:.1%} of unrelated pairs fit at least as well", share=row.unrelated_share)),
        )
        for row in typed(rows, CaptionRow)
    )


EXCHANGED = Rule(
    id="pairs.captions",
    subject="data",
    question="Do the captions belong to their images?",
    criterion="The estimated share of captions that fit their image no better than a caption of another image is at "
    "most {most_share:.0%}; the whole 95 % interval decides.",
    measure=exchanged_captions,
    thresholds=("pairs.captions.most_share",),
    wordings={
        "finding": Wording(
            "About {value:.0%} of the captions do not fit their image",
            "An estimated {value:.0%} [{low:.0%}, {high:.0%}] of the captions of {n} images fit their image no better "
            f"than a caption of another image. {{listed}} captions are listed in the chapter: more than "
            f"{percent(SUSPECT)} of unrelated pairs fit as well as they do.",
        ),
        "passed": Wording(
            "The captions fit their images",
            "An estimated {value:.0%} [{low:.0%}, {high:.0%}] of the captions of {n} images do not fit their image.",
        ),
        "cannot_conclude": Wording(
            "Inconclusive: whether the captions belong to their images",
            "An estimated {value:.0%} [{low:.0%}, {high:.0%}] of the captions of {n} images do not fit their image. "
            "The interval contains the limit, or there are too few images. If every caption fitted, {needed} images "
            "would be needed to show it.",
        ),
    },
    cause="Hypothesis: captions were exchanged or describe something else; or the model does not recognise what these "
    "captions describe. Only a look at the images can distinguish the two.",
    effect="Scores, maps and accuracy that rest on these captions describe other images.",
    recommendation="Inspect the listed images and captions, correct the wrong ones and repeat the audit.",
    samples="the captions with the worst fit",
    counter="the captions with the best fit",
)
RULES = (EXCHANGED,)
