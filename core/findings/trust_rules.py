"""Rules about the explanations: do they agree, is there a score to explain?"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from core.evaluation.summary import Summary
from core.findings.finding import Finding, Number, Sample
from core.findings.grading import grade
from core.findings.outcomes import passed
from core.findings.parts import SAMPLES, again, known, sample_of, title_of, too_few, undecided
from core.findings.thresholds import Thresholds
from core.runs import Run
from core.statistics import share_of_images


def methods_agree(run: Run, summary: Summary, thresholds: Thresholds) -> Iterator[Finding]:
    """Do the methods show the same places?"""
    table = summary.agreement
    if table.empty:
        return
    least = float(thresholds["agreement.methods.least_correlation"])
    low = table[table.value < least].sort_values("value")
    n = int(table.n.min())
    common = dict(
        id="agreement.methods",
        rule="agreement.methods",
        threshold=thresholds.label("agreement.methods.least_correlation"),
        criterion=f"The mean rank correlation of any two methods' maps is at least {least:g}.",
        reproduce=again(run),
        evidence=tuple(
            Number(
                name=f"{title_of(row.a)} / {title_of(row.b)}",
                value=row.value,
                low=known(row.low),
                high=known(row.high),
                n=row.n,
                unit="rank correlation",
            )
            for row in (low if len(low) else table.sort_values("value")).head(6).itertuples()
        ),
    )
    if n < thresholds["general.least_images"] or table.low.isna().any():
        yield too_few("Too few pictures to judge agreement between methods", n, thresholds, common)
        return
    if low.empty:
        yield passed(
            title="The methods agree with each other",
            condition="No two methods fall below the least correlation.",
            **common,
        )
        return
    pairs = summary.pair_agreement.sort_values(["value", "image_name"])
    made, word = grade(0.6, len(low) / len(table), n, thresholds)
    yield Finding(
        status="finding",
        severity=word,
        grade=made,
        title="Methods contradict each other",
        condition=f"{len(low)} of {len(table)} pairs of methods correlate less than {least:g}.",
        samples=_pair_samples(pairs.head(SAMPLES), summary.methods),
        rule_of_samples="lowest mean rank correlation over all pairs of methods",
        counter=_pair_samples(pairs.tail(SAMPLES).iloc[::-1], summary.methods),
        counter_note="highest mean rank correlation",
        cause="Hypothesis: the methods answer different questions: what is similar, what raises the score, what must "
        "be seen.",
        effect="Which place a picture's explanation points at depends on the method that is chosen.",
        recommendation="Show two methods that beat the controls side by side, and say so where they differ.",
        **common,  # type: ignore[arg-type]
    )


def pictures_agree(run: Run, summary: Summary, thresholds: Thresholds) -> Iterator[Finding]:
    """How many pictures have explanations that contradict each other?"""
    table = summary.pair_agreement
    if table.empty:
        return
    least = float(thresholds["agreement.pictures.least_correlation"])
    most = float(thresholds["agreement.pictures.most_share"])
    below = table.assign(below=(table.value < least).astype(float))
    share = share_of_images(below.below.to_numpy(), below.image.to_numpy())
    common = dict(
        id="agreement.pictures",
        rule="agreement.pictures",
        threshold=thresholds.label("agreement.pictures.most_share"),
        criterion=f"At most {most:.0%} of explained pictures have a mean rank correlation below {least:g}.",
        evidence=(Number(name="share of pictures below", **vars(share)),),
        reproduce=again(run),
    )
    if undecided(share, thresholds) or share.value is None:
        yield too_few("Too few pictures to say how many are disputed", share.n, thresholds, common)
        return
    worst = table.sort_values(["value", "image_name"])
    if share.value <= most:
        yield passed(
            title="Few pictures have disputed explanations",
            condition=f"{share.value:.0%} of the pictures fall below.",
            **common,
        )
        return
    made, word = grade(0.5, share.value, share.n, thresholds)
    yield Finding(
        status="finding",
        severity=word,
        grade=made,
        title="Many pictures have disputed explanations",
        condition=f"For {share.value:.0%} of the pictures the methods hardly agree where to look.",
        samples=_pair_samples(worst.head(SAMPLES), summary.methods),
        rule_of_samples="lowest mean rank correlation",
        counter=_pair_samples(worst.tail(SAMPLES).iloc[::-1], summary.methods),
        counter_note="highest mean rank correlation",
        cause="Hypothesis: several objects answer the text, or none does.",
        effect="A single heat map of such a picture misleads.",
        recommendation="Have a person review these pictures before any of their maps is shown.",
        **common,  # type: ignore[arg-type]
    )


def scores_exist(run: Run, summary: Summary, thresholds: Thresholds) -> Iterator[Finding]:
    """Does the picture raise the score above a hidden picture's? If not there is nothing to explain."""
    rows = run.results(
        ["image", "image_name", "text", "text_kind", "kind", "method", "deletion_curve", "deletion", "score"]
    )
    rows = rows[(rows.kind == "control") & rows.deletion_curve.notna()].drop_duplicates(["image", "text", "text_kind"])
    if rows.empty:
        return
    rows = rows.assign(flat=rows.deletion.isna().astype(float))
    most = float(thresholds["scores.flat.most_share"])
    share = share_of_images(rows.flat.to_numpy(), rows.image.to_numpy())
    common = dict(
        id="scores.flat",
        rule="scores.flat",
        threshold=thresholds.label("scores.flat.most_share"),
        criterion=f"For at most {most:.0%} of the explained pairs the picture hardly raises the score above a hidden "
        "one's.",
        evidence=(Number(name="share of pairs without a rise", **vars(share)),),
        reproduce=again(run),
    )
    if undecided(share, thresholds) or share.value is None:
        yield too_few("Too few pictures to say how many scores are flat", share.n, thresholds, common)
        return
    if share.value <= most:
        yield passed(
            title="The pictures raise the scores that are explained",
            condition=f"{share.value:.0%} of the pairs show no rise.",
            **common,
        )
        return
    flat = rows[rows.flat > 0].sort_values(["score", "image_name"])
    rest = rows[rows.flat == 0].sort_values("score", ascending=False)
    made, word = grade(0.6, share.value, share.n, thresholds)
    yield Finding(
        status="finding",
        severity=word,
        grade=made,
        title="Some texts score no higher than with a hidden picture",
        condition=f"In {share.value:.0%} of the explained pairs the score isn't raised by what the picture shows.",
        samples=_row_samples(flat.head(SAMPLES), summary.methods),
        rule_of_samples="lowest score among them",
        counter=_row_samples(rest.head(SAMPLES), summary.methods),
        counter_note="highest scores of the other pairs",
        cause="Hypothesis: the text doesn't describe the picture, or the model doesn't know its words.",
        effect="A heat map of such a pair explains a score that isn't there; it is no evidence of presence.",
        recommendation="Leave these pairs out, or reword the text; always print the score beside the map.",
        **common,  # type: ignore[arg-type]
    )


def _pair_samples(rows: pd.DataFrame, methods: tuple[str, ...]) -> tuple[Sample, ...]:
    return tuple(sample_of(row, methods[:3], f"mean rank correlation {row.value:+.2f}") for row in rows.itertuples())


def _row_samples(rows: pd.DataFrame, methods: tuple[str, ...]) -> tuple[Sample, ...]:
    return tuple(sample_of(row, methods[:3], f"score {row.score:.3f}") for row in rows.itertuples())
