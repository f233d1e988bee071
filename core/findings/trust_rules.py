"""Rules about the explanations and what they explain: do methods agree, and is there a score to explain?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from core.content.words import bounded
from core.evaluation.agreement import most_correlation
from core.findings.method_checks import failing_methods, reliability_of
from core.findings.trusted import (
    agreement_of_two,
    most_opposed,
    trusted_agreement,
    trusted_methods,
)
from core.methods import METHODS
from core.rules import Context, Number, Outcome, Rule, Sample, Wording
from core.rules.decision import decision, status_of
from core.rules.parts import SAMPLES, names_of, sample_of, title_of
from core.rules.power import Against
from core.rules.quantity import RANK_CORRELATION, Quantity
from core.statistics import Interval, share_of_images

LEAST_IMAGES = "general.least_images"
PAIRS, IMAGES, MOST_IMAGES = (
    "agreement.methods.least_correlation",
    "agreement.images.least_correlation",
    "agreement.images.most_share",
)
MOST_FLAT = "scores.flat.most_share"
MOST_EVIDENCE = 6
FLAT_COLUMNS = (
    "image", "image_name", "text", "text_kind", "kind", "method", "deletion_curve", "deletion", "score",
)  # fmt: skip

DISPUTED = Quantity("share of images whose mean rank correlation is below the limit")
NO_RISE = Quantity("share of an image's texts that show no rise, mean over images")


def _pairs_agree(context: Context) -> Iterator[Outcome]:
    pairs, _ = trusted_agreement(context)
    if pairs.empty:
        return
    least, least_n = float(context.thresholds[PAIRS]), int(context.thresholds[LEAST_IMAGES])
    methods = sorted({*pairs.a, *pairs.b})
    reliability = reliability_of(context.run, methods)
    limits = [
        least * most_correlation(reliability.get(row.a, 1.0), reliability.get(row.b, 1.0)) for row in pairs.itertuples()
    ]
    pairs = pairs.assign(limit=limits)
    pairs["decision"] = [decision(row, row.limit, at_most=False, least_n=least_n) for row in pairs.itertuples()]
    tested = pairs[pairs.decision != "too few"]
    failing = tested[tested.decision == "fails"].sort_values("value")
    undecided = tested[tested.decision == "undecided"].sort_values("value")
    stochastic = {name: reliability[name] for name in methods if name in reliability and reliability[name] < 1}
    unknown = [name for name in methods if name in METHODS and name not in reliability]
    values = {
        "tested": len(tested),
        "passing": int((tested.decision == "holds").sum()),
        "failing": len(failing),
        "undecided": len(undecided),
        "opposed": int((failing.high < 0).sum()),
        "unrelated": int(((failing.low <= 0) & (failing.high >= 0)).sum()),
        "weak": int((failing.low > 0).sum()),
        "reliability": ", ".join(f"{title_of(name)} {value:.2f}" for name, value in stochastic.items()) or "none",
        "unknown": names_of(unknown),
        "excluded": names_of([name for name in context.summary.methods if name in failing_methods(context)]),
        "n": int(pairs.n.max()),
    }
    part = failing if len(failing) else undecided if len(undecided) else pairs.sort_values("value")
    outcome = Outcome(
        status_of(tested.decision),
        n=int(pairs.n.max()),
        wording="" if len(tested) else "few",
        values=values,
        evidence=tuple(_number(row) for row in part.head(MOST_EVIDENCE).itertuples()),
    )
    yield outcome if failing.empty else _opposed_pair(context, outcome, failing)


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
        values={**outcome.values, "worst": f"{title_of(both[0])} and {title_of(both[1])}"},
        evidence=outcome.evidence,
        samples=_pair_samples(maps[below], both),
        counter=_pair_samples(maps[~below].iloc[::-1], both),
    )


def _number(row: Any) -> Number:
    return RANK_CORRELATION.of(row, title=f"{title_of(row.a)} / {title_of(row.b)}")


def _pair_samples(rows: pd.DataFrame, methods: tuple[str, ...]) -> tuple[Sample, ...]:
    return tuple(
        sample_of(row, methods, f"rank correlation of the two maps {row.value:+.2f}")
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
        values=_share_values(share)
        | {
            "below": int(below.sum()),
            "excluded": names_of([name for name in context.summary.methods if name in failing_methods(context)]),
        },
        evidence=(DISPUTED.of(share),),
        against=Against(most, percent=True, counts=True),
        samples=_image_samples(context, disputed) if found else (),
        counter=_image_samples(context, others) if found else (),
    )


def _share_values(share: Interval) -> dict[str, object]:
    return {
        "share": share.value or 0.0,
        "interval": bounded(share.value, share.low, share.high),
        "n": share.n,
    }


def _image_samples(context: Context, rows: pd.DataFrame) -> tuple[Sample, ...]:
    return tuple(
        sample_of(
            row,
            most_opposed(context, row.image, row.text),
            f"mean rank correlation over {row.methods} methods {row.value:+.2f}; shown are the two that differ most",
        )
        for row in rows.head(SAMPLES).itertuples()
    )


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
        values=_share_values(share) | {"flat": len(flat), "pairs": len(rows)},
        evidence=(NO_RISE.of(share),),
        against=Against(most, percent=True, counts=True),
        samples=_score_samples(flat, methods) if found else (),
        counter=_score_samples(rest.sort_values("score", ascending=False), methods) if found else (),
    )


def _score_samples(rows: pd.DataFrame, methods: tuple[str, ...]) -> tuple[Sample, ...]:
    return tuple(sample_of(row, methods, f"score {row.score:.3f}") for row in rows.head(SAMPLES).itertuples())


PAIRS_AGREE = Rule(
    id="agreement.methods",
    subject="explanations",
    question="Do each two methods mark the same regions?",
    thresholds=(PAIRS, LEAST_IMAGES),
    criterion="The mean rank correlation of any two methods' maps is at least {least_correlation:g} of what noise "
    "leaves possible, which is the square root of the product of the two methods' rank correlations between seeds (1 "
    "for a deterministic method). The whole 95 % interval must lie above; a pair fails if it lies below.",
    wordings={
        "passed": Wording(
            "Every tested pair of methods agrees",
            "Pairs tested: {tested}. Every interval lies above its limit. Rank correlation between seeds: "
            "{reliability}; not measured, and taken as 1: {unknown}. Excluded, because they fail a check: {excluded}.",
        ),
        "finding": Wording(
            "{failing} of {tested} pairs of methods do not agree; {undecided} undecided",
            "Of the pairs that do not agree, {opposed} contradict each other (the whole interval lies below 0), "
            "{unrelated} show neither agreement nor contradiction (the interval contains 0) and {weak} agree weakly. "
            "{passing} pairs agree. Rank correlation between seeds, which bounds what two methods with independent "
            "draws can reach: {reliability}; not measured, and taken as 1: {unknown}. Excluded, "
            "because they fail a check: {excluded}.",
        ),
        "cannot_conclude": Wording(
            "Inconclusive: {passing} of {tested} pairs of methods agree; {undecided} undecided",
            "No pair lies below its limit with its whole interval. Rank correlation between seeds: {reliability}; not "
            "measured, and taken as 1: {unknown}. Excluded, because they fail a check: {excluded}.",
        ),
        "few": Wording(
            "Too few images to assess the agreement of methods",
            "{n} images have maps of two methods; at least {least_images} are needed.",
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
            "Methods agree on most images",
            "{below} of {n} images lie below ({interval}). Excluded methods, because they fail a check: {excluded}.",
        ),
        "finding": Wording(
            "Methods disagree on many images",
            "{below} of {n} images ({interval}) have a mean rank correlation below {least_correlation:g}. Excluded "
            "methods, because they fail a check: {excluded}.",
        ),
        "cannot_conclude": Wording(
            "Inconclusive: on how many images methods disagree",
            "{below} of {n} images lie below ({interval}), an interval that contains the limit. Excluded "
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

SCORES_RISE = Rule(
    id="scores.flat",
    subject="texts",
    question="Does the image raise the score above that of the fully masked image?",
    thresholds=(MOST_FLAT, LEAST_IMAGES),
    criterion="On average over images, at most {most_share:.0%} of an image's texts score hardly higher than with the "
    "image fully masked. The whole 95 % interval must lie below; the rule fails if it lies above.",
    wordings={
        "passed": Wording(
            "The images raise the scores that are explained",
            "{flat} of {pairs} image-text pairs show no rise; mean share per image {interval}, n = {n} images.",
        ),
        "finding": Wording(
            "Some texts score no higher than with the image fully masked",
            "{flat} of {pairs} image-text pairs show no rise; mean share per image {interval}, n = {n} images.",
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
