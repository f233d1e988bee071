"""The rule on the scores that are explained: does the image raise them at all?"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from core.content.words import bounded
from core.evaluation.gains import LEAST_RISE
from core.findings.trusted import trusted_methods
from core.languages import say
from core.rules import Context, Outcome, Rule, Sample, Wording
from core.rules.decision import decision, status_of
from core.rules.parts import SAMPLES, sample_of
from core.rules.power import Against
from core.rules.quantity import Quantity
from core.statistics import Interval, share_of_images

LEAST_IMAGES, MOST_FLAT = "general.least_images", "scores.flat.most_share"
FLAT_COLUMNS = (
    "image", "image_name", "text", "text_kind", "kind", "method", "deletion_curve", "deletion", "score",
)  # fmt: skip
NO_RISE = Quantity("share of an image's texts that show no rise, mean over images")


def share_values(share: Interval) -> dict[str, object]:
    """A share of images as the wordings of rules name it."""
    return {
        "share": share.value or 0.0,
        "interval": bounded(share.value, share.low, share.high),
        "n": share.n,
    }


def _scores_rise(context: Context) -> Iterator[Outcome]:
    rows = context.rows(FLAT_COLUMNS)
    rows = rows[(rows.kind == "control") & rows.deletion_curve.notna()].drop_duplicates(["image", "text", "text_kind"])
    if rows.empty:
        return
    most = float(context.thresholds[MOST_FLAT])
    rows = rows.assign(flat=rows.deletion.isna().astype(float))
    share = share_of_images(rows.flat.to_numpy(), rows.image.to_numpy())
    result = decision(share, most, at_most=True, least_n=int(context.thresholds[LEAST_IMAGES]))
    flat, rest = rows[rows.flat > 0].sort_values(["score", "image_name"]), rows[rows.flat == 0]
    found, methods = result == "fails", trusted_methods(context)
    yield Outcome(
        status_of([result]),
        n=share.n,
        wording="few" if result == "too few" else "",
        likelihood=share.value or 0.0,
        values=share_values(share) | {"flat": len(flat), "pairs": len(rows)},
        evidence=(NO_RISE.of(share),),
        against=Against(most, percent=True, counts=True),
        samples=_score_samples(flat, methods) if found else (),
        counter=_score_samples(rest.sort_values("score", ascending=False), methods) if found else (),
    )


def _score_samples(rows: pd.DataFrame, methods: tuple[str, ...]) -> tuple[Sample, ...]:
    return tuple(
        sample_of(row, methods, say("score {value:.3f}", value=row.score)) for row in rows.head(SAMPLES).itertuples()
    )


BASES = (
    f"Pairs with a cosine rise below {LEAST_RISE:g} are counted here. Other chapters count other pairs and name them: "
    "areas under curves leave out those below half of the run's median rise; shares of a score those whose rise is not "
    "above 0, among the pairs that the chapter measured."
)
SCORES_RISE = Rule(
    id="scores.flat",
    subject="texts",
    question="Does the image raise the score above that of the fully masked image?",
    thresholds=(MOST_FLAT, LEAST_IMAGES),
    criterion="On average over images, at most {most_share:.0%} of an image's texts show no rise: they score less "
    f"than a cosine of {LEAST_RISE:g} higher than with the image fully masked. The whole 95 % interval "
    "must lie below; the rule fails if it lies above.",
    wordings={
        "passed": Wording(
            "The images raise the scores that are explained",
            "{flat} of {pairs} image-text pairs show no rise; mean share per image {interval}, n = {n} images. "
            + BASES,
        ),
        "finding": Wording(
            "Some texts score no higher than with the image fully masked",
            "{flat} of {pairs} image-text pairs show no rise; mean share per image {interval}, n = {n} images. "
            + BASES,
        ),
        "cannot_conclude": Wording(
            "Inconclusive: whether the images raise the scores that are explained",
            "{flat} of {pairs} image-text pairs show no rise; mean share per image {interval}, n = {n} images, an "
            "interval that contains the limit.",
        ),
        "few": Wording(
            "Too few images to assess whether scores rise",
            "{n} images have this measure; at least {least_images} are needed.",
        ),
    },
    measure=_scores_rise,
    cause="Hypothesis: the text does not describe the image, or the model was not trained on its words.",
    effect="A heat map of such a pair explains a score that is not there; it is not evidence of presence.",
    recommendation="Exclude these pairs, or reword the text; always print the score beside the map.",
    samples="the pairs without a rise that have the lowest scores",
    counter="the pairs with a rise that have the highest scores",
)
