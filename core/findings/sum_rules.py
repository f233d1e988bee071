"""Rules about sums: does a score come from places one by one, and do the parts of a map add up to what they claim?"""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pandas as pd

from core.evaluation.summary import Summary
from core.findings.finding import Finding, Number, Sample
from core.findings.grading import grade
from core.findings.outcomes import cannot_conclude, passed
from core.findings.parts import SAMPLES, again, title_of, undecided
from core.findings.thresholds import Thresholds
from core.runs import Run
from core.statistics import mean_over_images

KEY = ["image", "image_name", "text", "text_kind"]
# A difference smaller than this, in cosine, is no difference to be parted.
LEAST_DIFFERENCE = 0.01
# Methods whose map is such a sum.
SUMMING = ("rise", "kernel_shap", "lime")


def places_add_up(run: Run, summary: Summary, thresholds: Thresholds) -> Iterator[Finding]:
    """Of the score's variance while places come and go: how much can any heat map explain?"""
    if not summary.ceiling.n:
        return
    least = float(thresholds["additive.share.least"])
    ceiling = summary.ceiling
    common = dict(
        id="additive.share",
        rule="additive.share",
        threshold=thresholds.label("additive.share.least"),
        criterion=f"A sum over cells explains at least {least:.0%} of the score's variance over random coalitions that "
        "it wasn't fitted on.",
        evidence=(Number(name="share that a sum over cells explains", **vars(ceiling)),),
        reproduce=again(run),
    )
    if undecided(ceiling, thresholds) or ceiling.value is None:
        yield cannot_conclude(
            title="Too few pictures to say how far places add up",
            condition=f"Only {ceiling.n} pictures carry this measure.",
            **common,
        )
        return
    if ceiling.value >= least:
        yield passed(
            title="Places add up well enough for heat maps",
            condition=f"On average a sum over cells explains {ceiling.value:.0%} of the score's variance.",
            **common,
        )
        return
    rows = run.results([*KEY, "kind", "additive_share"])
    pairs = rows[rows.additive_share.notna()].drop_duplicates(KEY).sort_values(["additive_share", "image_name"])
    made, word = grade(0.5, float((pairs.additive_share < least).mean()), ceiling.n, thresholds)
    yield Finding(
        status="finding",
        severity=word,
        grade=made,
        title="Heat maps can explain only part of these scores",
        condition=f"On average a sum over cells explains {ceiling.value:.0%} of the score's variance while places come "
        "and go; the rest is in how places work together.",
        samples=_samples(pairs.head(SAMPLES), "additive_share", "share {:.2f}", *SUMMING),
        rule_of_samples="lowest share",
        counter=_samples(pairs.tail(SAMPLES).iloc[::-1], "additive_share", "share {:.2f}", *SUMMING),
        counter_note="highest share",
        cause="Hypothesis: the model needs several parts together, or hidden places themselves change the score.",
        effect="No heat map, of any method, says all of what decides these scores.",
        recommendation="Read maps of these pictures with the interactions of places and words (FIxLIP), and hide the "
        "places in question to test a claim.",
        **common,  # type: ignore[arg-type]
    )


def parts_add_up(run: Run, summary: Summary, thresholds: Thresholds) -> Iterator[Finding]:
    """For methods whose parts should sum to a difference of scores: is the rest small beside it?"""
    most = float(thresholds["sums.rest.most"])
    rows = run.results([*KEY, "kind", "method", "status", "details"])
    rows = rows[(rows.kind == "method") & (rows.status == "ok") & rows.details.notna()]
    for method, part in rows.groupby("method", sort=True):
        told = pd.DataFrame([json.loads(text) for text in part.details], index=part.index)
        if not {"residual", "difference"} <= set(told.columns):
            continue
        title = title_of(str(method))
        part = part.assign(rest=told.residual.abs() / np.maximum(told.difference.abs(), LEAST_DIFFERENCE))
        mean = mean_over_images(part.rest.to_numpy(float), part.image.to_numpy())
        common = dict(
            id=f"sums.rest.{method}",
            rule="sums.rest",
            threshold=thresholds.label("sums.rest.most"),
            criterion=f"What the parts of a map leave unexplained is on average at most {most:.0%} of the difference "
            "of scores that they should sum to.",
            evidence=(Number(name="rest beside the difference", **vars(mean)),),
            reproduce=again(run),
        )
        if undecided(mean, thresholds) or mean.value is None:
            yield cannot_conclude(
                title=f"Too few pictures to say whether {title} adds up",
                condition=f"Only {mean.n} pictures carry this measure.",
                **common,
            )
            continue
        if mean.value <= most:
            yield passed(title=f"{title} adds up", condition=f"The rest is {mean.value:.0%} on average.", **common)
            continue
        worst = part.sort_values(["rest", "image_name"], ascending=[False, True])
        made, word = grade(0.5, float((part.rest > most).mean()), mean.n, thresholds)
        yield Finding(
            status="finding",
            severity=word,
            grade=made,
            title=f"{title} doesn't add up with these options",
            condition=f"On average {mean.value:.0%} of the difference that its map should sum to is left over.",
            samples=_samples(worst.head(SAMPLES), "rest", "rest {:.2f} of the difference", str(method)),
            rule_of_samples="largest rest",
            counter=_samples(worst.tail(SAMPLES).iloc[::-1], "rest", "rest {:.2f} of the difference", str(method)),
            counter_note="smallest rest",
            cause="Hypothesis: too few steps for a score that bends sharply between the baseline and the picture.",
            effect="Its map is no account of the score.",
            recommendation=f"Give {title} more steps (a higher effort), or leave it out of conclusions.",
            **common,  # type: ignore[arg-type]
        )


def _samples(rows: pd.DataFrame, column: str, note: str, *methods: str) -> tuple[Sample, ...]:
    return tuple(
        Sample(
            image=row.image,
            image_name=row.image_name,
            text=row.text,
            methods=tuple(methods),
            note=note.format(getattr(row, column)),
        )
        for row in rows.itertuples()
    )
