"""Rules about sums: does a sum over cells explain the score, and do the parts of a map add up to what they should?"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from core.evaluation.completeness import COLUMNS, residuals, unexplained
from core.findings.trusted import trusted_methods
from core.languages import say, typeset
from core.methods import METHODS
from core.rules import Context, Outcome, Rule, Sample, Wording
from core.rules.decision import decision, status_of
from core.rules.parts import SAMPLES, title_of
from core.rules.power import Against
from core.rules.quantity import Quantity

KEY = ("image", "image_name", "text", "text_kind")
SHARE, REST, LEAST_IMAGES = "additive.share.least", "sums.rest.most", "general.least_images"
EXPLAINED = Quantity("share of the variance that the best additive model explains")
# What a sample of the two rules states.
EXPLAINED_NOTE, LEFT = ("share {value:.2f}", "{value:.2f} of the difference is left")  # messages
UNEXPLAINED = Quantity("unexplained part of the difference")


def _additive(context: Context) -> Iterator[Outcome]:
    ceiling, thresholds = context.summary.ceiling, context.thresholds
    if not ceiling.n:
        return
    least = float(thresholds[SHARE])
    result = decision(ceiling, least, at_most=False, least_n=int(thresholds[LEAST_IMAGES]))
    rows = context.rows((*KEY, "kind", "additive_share"))
    pairs = rows[rows.additive_share.notna()].drop_duplicates(list(KEY)).sort_values(["additive_share", "image_name"])
    below = pairs.additive_share < least
    found = result == "fails"
    # Methods whose map is such a sum.
    methods = tuple(name for name in trusted_methods(context) if METHODS[name].additive)
    yield Outcome(
        status_of([result]),
        n=ceiling.n,
        wording="few" if result == "too few" else "",
        likelihood=float((pairs.groupby("image").additive_share.mean() < least).mean()) if found else 0.0,
        values={
            "share": ceiling.value or 0.0,
            "low": ceiling.low,
            "high": ceiling.high,
            "n": ceiling.n,
        },
        evidence=(EXPLAINED.of(ceiling),),
        against=Against(least, at_most=False, percent=True),
        samples=_samples(pairs[below], "additive_share", EXPLAINED_NOTE, methods) if found else (),
        counter=_samples(pairs[~below].iloc[::-1], "additive_share", EXPLAINED_NOTE, methods) if found else (),
    )


def _complete(context: Context) -> Iterator[Outcome]:
    thresholds = context.thresholds
    most = float(thresholds[REST])
    for method, part in residuals(context.rows(COLUMNS)).groupby("method", sort=True):
        rest = unexplained(part)
        result = decision(rest, most, at_most=True, least_n=int(thresholds[LEAST_IMAGES]))
        images = part.groupby("image")[["residual", "difference"]].mean()
        beyond = images.residual > most * images.difference
        part = part.sort_values(["share", "image_name"], ascending=[False, True])
        above, found = part.residual > most * part.difference, result == "fails"
        note = LEFT
        yield Outcome(
            status_of([result]),
            n=rest.n,
            part=str(method),
            wording="few" if result == "too few" else "",
            likelihood=float(beyond.mean()),
            values={
                "method": title_of(str(method)),
                "rest": rest.value or 0.0,
                "low": rest.low,
                "high": rest.high,
                "median": float((images.residual / images.difference).median()),
                "beyond": int(beyond.sum()),
                "n": rest.n,
            },
            evidence=(UNEXPLAINED.of(rest),),
            against=Against(most, percent=True),
            samples=_samples(part[above], "share", note, (str(method),)) if found else (),
            counter=_samples(part[~above].iloc[::-1], "share", note, (str(method),)) if found else (),
        )


def _samples(rows: pd.DataFrame, column: str, note: str, methods: tuple[str, ...]) -> tuple[Sample, ...]:
    return tuple(
        Sample(
            image=row.image,
            image_name=row.image_name,
            text=row.text,
            methods=methods,
            note=typeset(say(note, value=getattr(row, column))),
        )
        for row in rows.head(SAMPLES).itertuples()
    )


FIT = (
    "On average over {n} images, the best additive model explains {share:.0%} [{low:.0%}, {high:.0%}] of the variance "
    "of the score over random coalitions of visible cells"
)
ADDITIVE = Rule(
    id="additive.share",
    subject="explanations",
    question="How much of the score does an additive model of the cells explain?",
    thresholds=(SHARE, LEAST_IMAGES),
    criterion="The best additive model (one value per cell) explains at least {least:.0%} of the score's variance over "
    "random coalitions of visible cells; the share is corrected for the number of values fitted. The whole 95 % "
    "interval must lie above; the rule fails if it lies below.",
    wordings={
        "passed": Wording(
            "The scores are largely additive over cells",
            f"{FIT}.",
        ),
        "finding": Wording(
            "An additive model of the cells explains only part of these scores",
            f"{FIT}; the rest is interactions of cells.",
        ),
        "cannot_conclude": Wording(
            "Inconclusive: whether the scores are largely additive over cells",
            f"{FIT}, an interval that contains the limit.",
        ),
        "few": Wording(
            "Too few images to assess additivity", "{n} images have this measure; at least {least_images} are needed."
        ),
    },
    measure=_additive,
    cause="Hypothesis: the model needs several parts together, or hidden patches themselves change the score.",
    effect="A heat map with one value per cell is read as such a sum; effects that arise only from several cells "
    "together are missing from it.",
    recommendation="Before a claim rests on a heat map of these images, hide the regions in question together and "
    "measure the score.",
    samples="the images and texts with the lowest share below the limit",
    counter="the images and texts with the highest share, at or above the limit",
)

COMPLETE = Rule(
    id="sums.rest",
    subject="explanations",
    question="Do the parts of a map add up to the difference of scores that they should sum to?",
    thresholds=(REST, LEAST_IMAGES),
    criterion="The residual of a map is at most {most:.0%} of the difference of scores that its parts should sum to: "
    "mean residual over mean difference. The whole 95 % interval must lie below; the rule fails if it lies above.",
    wordings={
        "passed": Wording(
            "{method} satisfies completeness",
            "{rest:.0%} [{low:.0%}, {high:.0%}] of the difference is left unexplained, over {n} images.",
        ),
        "finding": Wording(
            "{method} violates completeness with these options",
            "{rest:.0%} [{low:.0%}, {high:.0%}] of the difference that its map should sum to is left unexplained, "
            "over {n} images; the median image leaves {median:.0%}. The residual is above the limit on {beyond} of "
            "{n} images.",
        ),
        "cannot_conclude": Wording(
            "Inconclusive: whether {method} satisfies completeness",
            "{rest:.0%} [{low:.0%}, {high:.0%}] of the difference is left unexplained, over {n} images, an interval "
            "that contains the limit.",
        ),
        "few": Wording(
            "Too few images to assess the completeness of {method}",
            "{n} images have this measure; at least {least_images} are needed.",
        ),
    },
    measure=_complete,
    cause="Hypothesis: too few steps for a strongly non-linear score between the baseline and the image.",
    effect="Its map does not account for the score.",
    recommendation="Give {method} more steps (a higher effort); until then exclude it from conclusions, as this report "
    "does.",
    samples="the largest residuals above the limit",
    counter="the smallest residuals, within the limit",
)
