"""Rules about maps as such: do they vary at all, and does the ranking of methods depend on how patches are hidden?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from core.content.words import bounded
from core.evaluation.agreement import order_agreement
from core.evaluation.gains import rows_above_floor
from core.findings.trusted import MAPS, trusted_methods
from core.languages import say
from core.rules import Context, Outcome, Rule, Sample, Wording
from core.rules.decision import Decision, Decisions, decision, status_of
from core.rules.parts import SAMPLES, names_of, sample_of, title_of
from core.rules.quantity import Quantity
from core.rules.writing import NONE
from core.runs import AGAIN
from core.statistics import FEWEST_PAIRS, Interval, share_of_images, spearman

MOST_CONSTANT, LEAST_ORDER = "maps.constant.most_share", "trust.hiding.least_correlation"
LEAST_IMAGES = "general.least_images"
# A rank correlation over fewer methods has no interval.
FEWEST_METHODS = FEWEST_PAIRS
MOST_EVIDENCE = 6
CONSTANT_SHARE = Quantity("{method}: share of constant maps")
ORDER_AGREEMENT = Quantity("rank correlation of the faithfulness of {methods} methods", counted="methods")


def _constant(context: Context) -> Iterator[Outcome]:
    rows = context.rows(MAPS)
    rows = rows[(rows.kind == "method") & (rows.status == "ok") & rows["map"].notna()]
    if rows.empty:
        return
    rows = rows.assign(flat=[float(np.ptp(np.asarray(values, float)) == 0) for values in rows["map"]])
    most, least_n = float(context.thresholds[MOST_CONSTANT]), int(context.thresholds[LEAST_IMAGES])
    shares = {
        str(method): share_of_images(part.flat.to_numpy(), part.image.to_numpy())
        for method, part in rows.groupby("method", sort=True)
    }
    decisions = Decisions({name: _varies(share, most, least_n) for name, share in shares.items()})
    failing = decisions.names("fails")
    ranked = sorted(failing or shares, key=lambda name: (-(shares[name].value or 0.0), name))
    constant = rows[(rows.flat > 0) & rows.method.isin(failing)].sort_values(["image_name", "method"])
    others = rows[(rows.flat == 0) & rows.method.isin(failing)].sort_values(["image_name", "method"])
    yield Outcome(
        decisions.status,
        n=max(share.n for share in shares.values()),
        wording="" if decisions.tested else "few",
        likelihood=max((shares[name].value or 0.0 for name in failing), default=0.0),
        values=decisions.values
        | {
            "constant": int(rows.flat.sum()),
            "maps": len(rows),
            "each": "; ".join(f"{title_of(name)} {_stated(shares[name])}" for name in ranked if shares[name].value)
            or say(NONE),
        },
        evidence=tuple(CONSTANT_SHARE.of(shares[name], method=title_of(name)) for name in ranked[:MOST_EVIDENCE]),
        samples=_samples(constant, say("the same value in every cell")),
        counter=_samples(others, say("varies")),
    )


def _varies(share: Interval, most: float, least_n: int) -> Decision:
    """That none of the maps of this audit is constant is a count, which needs no interval."""
    result = decision(share, most, at_most=True, least_n=least_n)
    return "holds" if share.value == 0 and result == "undecided" else result


def _stated(share: Interval) -> str:
    return bounded(share.value, share.low, share.high)


def _samples(rows: pd.DataFrame, note: str) -> tuple[Sample, ...]:
    first = rows.drop_duplicates("image").head(SAMPLES)
    return tuple(sample_of(row, (row.method,), f"{title_of(row.method)}: {note}") for row in first.itertuples())


def _order(context: Context) -> Iterator[Outcome]:
    ways = [f"{way}_faithfulness" for way in AGAIN]
    rows = rows_above_floor(context.run, ["image", "kind", "method", "status", "faithfulness", *ways])
    rows = rows[(rows.kind == "method") & (rows.status == "ok")]
    trusted = set(trusted_methods(context)) | (set(rows.method) - set(context.summary.methods))
    rows = rows[rows.method.isin(trusted)]
    for way in AGAIN:
        both = rows[rows.faithfulness.notna() & rows[f"{way}_faithfulness"].notna()]
        if len(both):
            yield _order_by(context, both, way)


def _order_by(context: Context, rows: pd.DataFrame, way: str) -> Outcome:
    least, least_images = float(context.thresholds[LEAST_ORDER]), int(context.thresholds[LEAST_IMAGES])
    estimate, images = order_agreement(rows, f"{way}_faithfulness")
    methods = int(rows.method.nunique())
    enough = images >= least_images and methods >= FEWEST_METHODS
    result = decision(estimate, least, at_most=False, least_n=FEWEST_METHODS) if enough else "too few"
    each = [
        spearman(part.faithfulness.to_numpy(), part[f"{way}_faithfulness"].to_numpy())
        for _, part in rows.groupby(["image", "method"])[["faithfulness", f"{way}_faithfulness"]]
        .mean()
        .groupby("image")
    ]
    known = [value for value in each if value is not None]
    return Outcome(
        status_of([result]),
        n=images,
        part=way,
        wording="few" if result == "too few" else "",
        likelihood=float(np.mean([value < least for value in known])) if known else 1.0,
        values={
            "way": say(AGAIN[way]),
            "methods": methods,
            "images": images,
            "fewest": FEWEST_METHODS,
            "correlation": bounded(estimate.value, estimate.low, estimate.high),
            "excluded": names_of([name for name in context.summary.methods if name not in trusted_methods(context)]),
        },
        evidence=(ORDER_AGREEMENT.of(estimate, methods=methods),),
    )


CONSTANT = Rule(
    id="maps.constant",
    subject="explanations",
    question="Do the maps of each method vary?",
    thresholds=(MOST_CONSTANT, LEAST_IMAGES),
    criterion="For each method at most {most_share:.0%} of its maps have the same value in every cell: none has, or "
    "the whole 95 % interval lies below; a method fails if the interval lies above.",
    wordings={
        "passed": Wording(
            "The maps of every tested method vary",
            "Methods tested: {tested}. {constant} of {maps} maps are constant. Of these: {each}.",
        ),
        "finding": Wording(
            "Constant, uninformative maps: {fails}",
            "Share of constant maps: {each}. Of {tested} methods {passing} have maps that vary and {undecided} are "
            "undecided.",
        ),
        "cannot_conclude": Wording(
            "Inconclusive: the maps of {passing} of {tested} methods vary; {undecided} undecided",
            "{constant} of {maps} maps are constant. Share of constant maps: {each}. Undecided: {open}.",
        ),
        "few": Wording("Too few images to assess whether maps vary", "Fewer than {least_images} images: {few}."),
    },
    measure=_constant,
    cause="Hypothesis: the method has no path from this text or layer to patches, or its values vanish in rounding.",
    effect="The colour of a constant map has no meaning, and such a map is not part of any agreement.",
    recommendation="Exclude the method for this model, or select another layer.",
    samples="the first images by name with a constant map",
    counter="the first images by name with a map of these methods that varies",
)

ORDER = Rule(
    id="trust.hiding",
    subject="explanations",
    question="Is the ranking of methods the same when patches are hidden in another way?",
    thresholds=(LEAST_ORDER, LEAST_IMAGES),
    criterion="Over methods that fail no check, mean faithfulness with patches {way} has a rank correlation of at "
    "least {least_correlation:g} with that of the main removal. The whole 95 % interval, over methods, must lie above; "
    "the rule fails if it lies below.",
    wordings={
        "passed": Wording(
            "The ranking of methods is the same with patches {way}",
            "Over {methods} methods and {images} images the rank correlation is {correlation}. Excluded, because they "
            "fail a check: {excluded}.",
        ),
        "finding": Wording(
            "With patches {way}, other methods rank as faithful",
            "Over {methods} methods and {images} images the rank correlation of the two rankings is {correlation}. "
            "Excluded, because they fail a check: {excluded}.",
        ),
        "cannot_conclude": Wording(
            "Inconclusive: stability of the method ranking with patches {way}",
            "Over {methods} methods and {images} images the rank correlation is {correlation}, an interval that "
            "contains the limit. The interval is over methods: more images do not narrow it.",
        ),
        "few": Wording(
            "Inconclusive: stability of the method ranking with patches {way}",
            "{methods} methods on {images} images; {fewest} methods and {least_images} images are needed.",
        ),
    },
    measure=_order,
    cause="Hypothesis: images with hidden patches are unusual for the model, each kind in a different way; or the "
    "methods hardly differ.",
    effect="Which method ranks as faithful depends on a choice that is unrelated to the question of the user.",
    recommendation="Rely only on methods that beat the controls with each way of hiding.",
)
