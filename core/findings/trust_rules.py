"""Rules on the agreement of methods: of pairs of methods, and of all methods on single images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from core.content.words import bounded, number, plural
from core.evaluation.agreement import most_correlation
from core.findings.method_checks import failing_methods, reliability_of
from core.findings.score_rules import share_values
from core.findings.trusted import (
    agreement_of_two,
    most_opposed,
    trusted_agreement,
)
from core.languages import say
from core.rules import Context, Number, Outcome, Rule, Sample, Wording
from core.rules.decision import Decision, decision, status_of
from core.rules.parts import SAMPLES, names_of, sample_of, title_of
from core.rules.power import Against
from core.rules.quantity import Quantity
from core.rules.writing import NONE
from core.statistics import share_of_images, sign_flip_p
from core.statistics.families import PAIRS as PAIR_TESTS

LEAST_IMAGES, SIGNIFICANCE = "general.least_images", "general.significance"
PAIRS, IMAGES, MOST_IMAGES = (
    "agreement.methods.least_correlation",
    "agreement.images.least_correlation",
    "agreement.images.most_share",
)
MOST_EVIDENCE = 6

AGREES = Quantity("{title}", "rank correlation", tests=PAIR_TESTS)
DISPUTED = Quantity("share of images whose mean rank correlation is below the limit")


def _pairs_agree(context: Context) -> Iterator[Outcome]:
    every, _ = trusted_agreement(context)
    if every.empty:
        return
    methods = sorted({*every.a, *every.b})
    reliability = reliability_of(context.run, methods)
    pairs = _tested(context, every[every.a.isin(reliability) & every.b.isin(reliability)], reliability)
    tested = pairs[pairs.decision != "too few"]
    failing = tested[tested.decision == "fails"].sort_values("value")
    undecided = tested[tested.decision == "undecided"].sort_values("value")
    stochastic = {name: reliability[name] for name in methods if name in reliability and reliability[name] < 1}
    left = len(every) - len(pairs)
    n = int(every.n.max())
    values = {
        "tested": plural(len(tested), "pair of methods", "pairs of methods"),
        "tests": PAIR_TESTS.sentence(tested),
        "every": say("The only tested pair of methods") if len(tested) == 1 else say("Every tested pair of methods"),
        "lowest": _lowest(tested),
        "passing": int((tested.decision == "holds").sum()),
        "failing": len(failing),
        "undecided": len(undecided),
        "opposed": int((failing.high < 0).sum()),
        "unrelated": int(((failing.low <= 0) & (failing.high >= 0)).sum()),
        "weak": int((failing.low > 0).sum()),
        "reliability": ", ".join(
            f"{title_of(name)} {say('{value:.2f}', value=value)}" for name, value in stochastic.items()
        )
        or say(NONE),
        "left": f"{left} ({names_of([name for name in methods if name not in reliability])})" if left else say(NONE),
        "excluded": names_of([name for name in context.summary.methods if name in failing_methods(context)]),
        "n": n,
    }
    part = failing if len(failing) else undecided if len(undecided) else pairs.sort_values("value")
    outcome = Outcome(
        status_of(tested.decision),
        n=n,
        wording="" if len(tested) else "few" if len(pairs) else "no_bound",
        values=values,
        evidence=tuple(_number(row) for row in part.head(MOST_EVIDENCE).itertuples()),
    )
    yield outcome if failing.empty else _opposed_pair(context, outcome, failing)


def _tested(context: Context, pairs: pd.DataFrame, reliability: Mapping[str, float]) -> pd.DataFrame:
    """Pairs whose upper bound is known, with their `limit`, the `p` of a value at the limit and the `decision`."""
    least, least_n = float(context.thresholds[PAIRS]), int(context.thresholds[LEAST_IMAGES])
    each = context.summary.image_agreement
    limits = [least * most_correlation(reliability[row.a], reliability[row.b]) for row in pairs.itertuples()]
    pairs = pairs.assign(limit=limits)
    pairs["by_interval"] = [decision(row, row.limit, at_most=False, least_n=least_n) for row in pairs.itertuples()]
    pairs["p"] = [
        sign_flip_p((each[(row.a, row.b)] - row.limit).to_numpy()) if row.by_interval != "too few" else None
        for row in pairs.itertuples()
    ]
    pairs["p"] = pairs.p.astype(float)
    pairs["p_adjusted"] = PAIR_TESTS.adjusted(pairs)
    significance = float(context.thresholds[SIGNIFICANCE])
    return pairs.assign(decision=[_shown(row, significance) for row in pairs.itertuples()])


def _shown(row: Any, significance: float) -> Decision:
    """What the interval of a pair decides, where its adjusted p shows it too."""
    decided: Decision = row.by_interval
    return "undecided" if decided in ("holds", "fails") and not row.p_adjusted < significance else decided


def _opposed_pair(context: Context, outcome: Outcome, failing: pd.DataFrame) -> Outcome:
    """With the pair that lies furthest below its limit: its images, and the share of them below."""
    worst = failing.loc[(failing.value - failing.limit).astype(float).idxmin()]
    maps = agreement_of_two(context, worst.a, worst.b)
    below = maps.value < worst.limit
    both = (str(worst.a), str(worst.b))
    return Outcome(
        outcome.verdict,
        n=outcome.n,
        likelihood=float((maps.groupby("image").value.mean() < worst.limit).mean()) if len(maps) else 1.0,
        values={**outcome.values, "worst": names_of(both)},
        evidence=outcome.evidence,
        samples=_pair_samples(maps[below], both),
        counter=_pair_samples(maps[~below].iloc[::-1], both),
    )


def _lowest(tested: pd.DataFrame) -> str:
    """The pair that agrees least, with its rank correlation and its limit; "none" where no pair was tested."""
    if tested.empty:
        return say(NONE)
    row = tested.sort_values("value", kind="stable").iloc[0]
    value = bounded(row.value, row.low, row.high)
    return say(
        "{methods}, rank correlation {value}, limit {limit}",
        methods=names_of([row.a, row.b]),
        value=value,
        limit=number(row.limit, 2),
    )


def _number(row: Any) -> Number:
    return AGREES.of(row, title=f"{title_of(row.a)} / {title_of(row.b)}")


def _pair_samples(rows: pd.DataFrame, methods: tuple[str, ...]) -> tuple[Sample, ...]:
    return tuple(
        sample_of(row, methods, say("rank correlation of the two maps {value:+.2f}", value=row.value))
        for row in rows.head(SAMPLES).itertuples()
    )


def _images_agree(context: Context) -> Iterator[Outcome]:
    _, table = trusted_agreement(context)
    if table.empty:
        return
    least, most = float(context.thresholds[IMAGES]), float(context.thresholds[MOST_IMAGES])
    means = table.groupby("image").value.mean()
    below = means < least
    share = share_of_images(below.to_numpy(float), means.index.to_numpy())
    result = decision(share, most, at_most=True, least_n=int(context.thresholds[LEAST_IMAGES]))
    ordered = table.assign(below=table.image.map(below)).sort_values(["value", "image_name"])
    disputed = ordered[ordered.below & (ordered.value < least)].drop_duplicates("image")
    others = ordered[~ordered.below & (ordered.value >= least)].iloc[::-1].drop_duplicates("image")
    found = result == "fails"
    yield Outcome(
        status_of([result]),
        n=share.n,
        wording="few" if result == "too few" else "",
        likelihood=share.value or 0.0,
        values=share_values(share)
        | {
            "below": int(below.sum()),
            "which": say("The two methods") if int(table.methods.max()) == 2 else say("Methods"),
            "excluded": names_of([name for name in context.summary.methods if name in failing_methods(context)]),
        },
        evidence=(DISPUTED.of(share),),
        against=Against(most, percent=True, counts=True),
        samples=_image_samples(context, disputed) if found else (),
        counter=_image_samples(context, others) if found else (),
    )


def _image_samples(context: Context, rows: pd.DataFrame) -> tuple[Sample, ...]:
    return tuple(
        sample_of(
            row,
            most_opposed(context, row.image, row.text),
            say(
                "mean rank correlation over {methods} methods {value:+.2f}; shown are the two that differ most",
                methods=row.methods,
                value=row.value,
            ),
        )
        for row in rows.head(SAMPLES).itertuples()
    )


BOUNDS = (
    "Rank correlation between seeds, which bounds what two methods with independent draws can reach: {reliability}. "
    "Pairs without a verdict, because the rank correlation between seeds of a method was not measured: {left}. "
    "Excluded, because they fail a check: {excluded}."
)
PAIRS_AGREE = Rule(
    id="agreement.methods",
    subject="explanations",
    question="Do each two methods mark the same regions?",
    thresholds=(PAIRS, LEAST_IMAGES, SIGNIFICANCE),
    criterion="The mean rank correlation of any two methods' maps is at least {least_correlation:g} of what noise "
    "leaves possible, which is the square root of the product of the two methods' rank correlations between seeds (1 "
    "for a deterministic method; taken as measured, without their own error). The whole 95 % interval must lie above "
    "this limit, and the adjusted p of a value at the limit below {significance:g}; a pair fails if the interval lies "
    "below by the same test.",
    wordings={
        "passed": Wording(
            "{every} agrees", "Whole interval above its limit: {tested}. Lowest: {lowest}. {tests} " + BOUNDS
        ),
        "finding": Wording(
            "{tested} tested: {failing} shown not to agree, {undecided} undecided",
            "{tests} Of the pairs that do not agree, {opposed} contradict each other (the whole interval lies below "
            "0), {unrelated} show neither agreement nor contradiction (the interval contains 0) and {weak} agree "
            "weakly. Pairs shown to agree: {passing}. " + BOUNDS,
        ),
        "cannot_conclude": Wording(
            "Inconclusive: {tested} tested, {passing} shown to agree, {undecided} undecided",
            "No pair is shown to lie below its limit. {tests} " + BOUNDS,
        ),
        "few": Wording(
            "Too few images to assess the agreement of methods",
            "{n} images have maps of two methods; at least {least_images} are needed. " + BOUNDS,
        ),
        "no_bound": Wording(
            "Inconclusive: agreement of methods, whose upper bounds were not measured",
            BOUNDS + " The sanity checks measure the rank correlation between seeds.",
        ),
    },
    measure=_pairs_agree,
    cause="Hypothesis: the methods answer different questions: what is similar, what raises the score, what must be "
    "visible.",
    effect="Which region the explanation of an image marks depends on the method that is selected.",
    recommendation="Where two methods beat the controls, present both side by side and report where they differ. "
    "Otherwise do not base a conclusion on a single method.",
    samples="the lowest rank correlations of {worst}, the pair furthest below its limit",
    counter="the highest rank correlations of the same pair, at or above its limit",
)

IMAGES_AGREE = Rule(
    id="agreement.images",
    subject="explanations",
    question="On how many images do the methods disagree?",
    thresholds=(MOST_IMAGES, IMAGES, LEAST_IMAGES),
    criterion="At most {most_share:.0%} of the images have a mean rank correlation, over pairs of methods and texts, "
    "below {least_correlation:g}. The whole 95 % interval must lie below; the rule fails if it lies above.",
    wordings={
        "passed": Wording(
            "{which} agree on most images",
            "Images below the limit: {below} of {n} ({interval}). Excluded methods, because they fail a check: "
            "{excluded}.",
        ),
        "finding": Wording(
            "Methods disagree on many images",
            "{below} of {n} images ({interval}) have a mean rank correlation below {least_correlation:g}. Excluded "
            "methods, because they fail a check: {excluded}.",
        ),
        "cannot_conclude": Wording(
            "Inconclusive: on how many images methods disagree",
            "Images below the limit: {below} of {n} ({interval}), an interval that contains the limit. Excluded "
            "methods, because they fail a check: {excluded}.",
        ),
        "few": Wording(
            "Too few images to assess on how many methods disagree",
            "{n} images have maps of two methods; at least {least_images} are needed.",
        ),
    },
    measure=_images_agree,
    cause="Hypothesis: several objects match the text, or none does.",
    effect="A single heat map of such an image is misleading.",
    recommendation="Have a person review these images before any of their maps is used.",
    samples="the images with the lowest mean rank correlation",
    counter="the images with the highest mean rank correlation",
)
