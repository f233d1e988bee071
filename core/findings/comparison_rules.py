"""The rule on other models: is a method's faithfulness on the audited model shown to be lower?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from core.evaluation.comparison import load_comparisons
from core.evaluation.gains import LEAST_GAIN, LEAST_RISE
from core.rules import Context, Outcome, Rule, Thresholds, Wording
from core.rules.decision import Decision, Decisions, decision
from core.rules.parts import known, title_of
from core.rules.quantity import of_metric
from core.statistics.families import MODELS

LEAST, SIGNIFICANCE = "comparison.faithfulness.least_difference", "general.significance"
VERDICTS: dict[Decision, str] = {
    "holds": "higher here",
    "fails": "lower here",
    "undecided": "no difference shown",
    "too few": "too few images",
}  # messages
DIFFERENCE = of_metric("faithfulness", "{method}: {metric} here less that on {other}", MODELS)


def difference_of(row: Any, thresholds: Thresholds) -> Decision:
    """Whether a method's faithfulness is shown to be higher here ("holds") or lower ("fails"), by a row of `trust`.

    The whole interval lies on one side, and the p-value, adjusted over methods, is significant: the report's table and
    the rule judge by this one test.
    """
    limit = float(thresholds[LEAST])
    decided = decision(row, limit, at_most=False, least_n=int(thresholds["general.least_images"]))
    p = known(row.p_adjusted)
    significant = p is not None and p < float(thresholds[SIGNIFICANCE])
    return decided if significant or decided == "too few" else "undecided"


def faithfulness_differences(context: Context) -> Iterator[Outcome]:
    """For each compared model, the paired difference in faithfulness of every method, here less there."""
    for number, one in enumerate(load_comparisons(context.run), start=1):
        if one.trust.empty:
            continue
        judged = Decisions({row.method: difference_of(row, context.thresholds) for row in one.trust.itertuples()})
        failing = judged.names("fails")
        rows = one.trust[one.trust.method.isin(failing or list(judged.of))].sort_values("value", kind="stable")
        yield Outcome(
            judged.status if judged.tested else "cannot_conclude",
            wording="" if judged.tested else "few",
            n=int(rows.n.max()),
            likelihood=1.0 if failing else 0.0,
            values=judged.values | {"other": one.other, "n": int(rows.n.max()), "common": one.images},
            evidence=tuple(
                DIFFERENCE.of(row, method=title_of(row.method), other=one.other) for row in rows.itertuples()
            ),
            part=str(number),
        )


FAITHFULNESS = Rule(
    id="comparison.faithfulness",
    subject="explanations",
    question="Do the same methods explain this model less faithfully than another model on the same images and texts?",
    criterion="The mean paired difference in faithfulness, this model less the other, is at least "
    "{least_difference:g}: it is shown to be lower or higher where the whole 95 % interval lies on one side and the "
    "p-value, adjusted over methods, is below {significance:g}. The likelihood is 1, because "
    "a comparison has no share of images.",
    measure=faithfulness_differences,
    thresholds=(LEAST, "general.least_images", SIGNIFICANCE),
    wordings={
        "finding": Wording(
            "Less faithful on this model than on {other}: {failing} of {tested} methods",
            "Lower here, by paired differences on {n} images: {fails}. Higher here: {holds}. No difference shown: "
            "{undecided} methods.",
        ),
        "passed": Wording(
            "Every tested method ({tested}) is more faithful on this model than on {other}",
            "Higher here, by paired differences on {n} images: {holds}.",
        ),
        "cannot_conclude": Wording(
            "Inconclusive: no method is shown to be less faithful on this model than on {other}",
            "No difference is shown for {undecided} of {tested} methods on {n} images. Higher here: {holds}.",
        ),
        "few": Wording(
            "Inconclusive: too few images in common with {other}",
            "Of {common} images in common, {n} have a faithfulness on both models; at least {least_images} are needed. "
            "A text has none on an image that raises its score by too little: by less than a cosine of "
            f"{LEAST_RISE:g}, or less than {LEAST_GAIN:g} of the run's median rise.",
        ),
    },
    cause="Hypothesis: the architecture or the grid of this model suits these methods less.",
    effect="The same maps deserve less trust on this model than on the other. Nothing follows about which model is "
    "right more often.",
    recommendation="Compare maps of the two models only for methods that beat the controls on both.",
    reproduce="python -m core compare RUN OTHER",
)
