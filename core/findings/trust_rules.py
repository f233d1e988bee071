"""Rules about the explanations: do they beat controls, do they agree, is there a score to explain?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from core.evaluation.statistics import bootstrap_mean
from core.evaluation.summary import Summary
from core.findings.finding import Finding, Number, Sample
from core.findings.grading import grade
from core.findings.outcomes import cannot_conclude, passed
from core.findings.thresholds import Thresholds
from core.methods import METHODS
from core.runs import Run

SAMPLES = 3


def beats_controls(run: Run, summary: Summary, thresholds: Thresholds) -> Iterator[Finding]:
    """Is each method's faithfulness above every control's? One line for those that are, one for those that aren't."""
    if not run.plan.trust.curves:
        return
    least = float(thresholds["trust.controls.least_difference"])
    significance = float(thresholds["general.significance"])
    enough = thresholds["general.least_images"]
    better: list[tuple[str, pd.DataFrame]] = []
    worse: list[tuple[str, pd.DataFrame]] = []
    unknown: list[tuple[str, pd.DataFrame]] = []
    for method in summary.methods:
        rows = summary.versus[summary.versus.method == method]
        if rows.empty and any(name == method and side == "image" for name, side, _ in summary.not_run):
            continue
        if rows.empty or int(rows.n.min()) < enough:
            unknown.append((method, rows))
        else:
            (better if all(beats(row, thresholds) for row in rows.itertuples()) else worse).append((method, rows))

    def common(which: str, part: list[tuple[str, pd.DataFrame]]) -> dict[str, Any]:
        return dict(
            id=f"trust.controls.{which}",
            rule="trust.controls",
            threshold=thresholds.label("trust.controls.least_difference"),
            criterion="A method's faithfulness (insertion minus deletion) exceeds every control map's by more than "
            f"{least:g}, with a 95 % interval that excludes it and an adjusted p below {significance:g}.",
            evidence=_least_above(part),
            reproduce=_again(run),
        )

    if unknown:
        n = min(0 if rows.empty else int(rows.n.min()) for _, rows in unknown)
        yield _cannot(
            f"Too few pictures to compare {_listed(unknown)} with controls", n, thresholds, common("unknown", unknown)
        )
    if better:
        yield passed(
            title=f"{len(better)} of {len(better) + len(worse)} methods beat every control",
            condition=f"{_listed(better)} order the cells better than random, centre and edge maps do.",
            **common("better", better),
        )
    if worse:
        yield _not_better(run, worse, len(better) + len(worse), thresholds, common("worse", worse))


def _not_better(
    run: Run, worse: list[tuple[str, pd.DataFrame]], tested: int, thresholds: Thresholds, common: dict[str, Any]
) -> Finding:
    least = float(thresholds["trust.controls.least_difference"])
    lost = {name: rows[[not beats(row, thresholds) for row in rows.itertuples()]] for name, rows in worse}
    # The samples are of the method that loses most.
    method = min(lost, key=lambda name: float(lost[name].value.min()))
    share, most_lost, most_won = _worst_share(run, method, str(lost[method].iloc[0].control))
    n = min(int(rows.n.min()) for _, rows in worse)
    made, word = grade(0.8, share if len(worse) == 1 else len(worse) / tested, n, thresholds)
    each = "; ".join(f"{_title(name)} (against {', '.join(rows.control)})" for name, rows in lost.items())
    return Finding(
        status="finding",
        severity=word,
        grade=made,
        title=f"{len(worse)} of {tested} methods aren't shown to be better than a map that ignores the text",
        condition=f"The difference in faithfulness isn't shown to be above {least:g}, because its interval reaches it "
        f"or the adjusted p is too high: {each}.",
        samples=most_lost,
        rule_of_samples=f"the pictures where {_title(method)}, which loses most, does so most clearly",
        counter=most_won,
        counter_note="the pictures where it wins most",
        cause="Hypothesis: the method reads features that the score doesn't use there, or its map is too coarse.",
        effect="Its heat maps can't be taken as evidence of what the model used.",
        recommendation="Don't base a conclusion on one of these methods alone; prefer methods that beat every control "
        "here.",
        **common,
    )


def _least_above(part: list[tuple[str, pd.DataFrame]]) -> tuple[Number, ...]:
    """For each method the control that it is least above."""
    found = []
    for method, rows in part:
        if not rows.empty:
            row = rows.loc[rows.value.astype(float).idxmin()]
            name = f"{_title(method)} above {row.control}"
            found.append(Number(name=name, value=row.value, low=_opt(row.low), high=_opt(row.high), n=int(row.n)))
    return tuple(found)


def _listed(part: list[tuple[str, pd.DataFrame]]) -> str:
    names = [_title(method) for method, _ in part]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def beats(row: Any, thresholds: Thresholds) -> bool:
    """Whether a row of `Summary.versus` shows a method above a control: rules and report judge by this one test."""
    low = _opt(row.low)  # one picture has no interval
    above = low is not None and low > float(thresholds["trust.controls.least_difference"])
    return bool(above and row.p_adjusted < float(thresholds["general.significance"]))


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
        reproduce=_again(run),
        evidence=tuple(
            Number(
                name=f"{_title(row.a)} / {_title(row.b)}",
                value=row.value,
                low=_opt(row.low),
                high=_opt(row.high),
                n=row.n,
                unit="rank correlation",
            )
            for row in (low if len(low) else table.sort_values("value")).head(6).itertuples()
        ),
    )
    if n < thresholds["general.least_images"]:
        yield _cannot("Too few pictures to judge agreement between methods", n, thresholds, common)
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
    share = bootstrap_mean(
        below.below.to_numpy(), below.image.to_numpy(), resamples=run.plan.trust.resamples, seed=run.plan.seed
    )
    common = dict(
        id="agreement.pictures",
        rule="agreement.pictures",
        threshold=thresholds.label("agreement.pictures.most_share"),
        criterion=f"At most {most:.0%} of explained pictures have a mean rank correlation below {least:g}.",
        evidence=(Number(name="share of pictures below", **vars(share)),),
        reproduce=_again(run),
    )
    if share.n < thresholds["general.least_images"] or share.value is None:
        yield _cannot("Too few pictures to say how many are disputed", share.n, thresholds, common)
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
    share = bootstrap_mean(
        rows.flat.to_numpy(), rows.image.to_numpy(), resamples=run.plan.trust.resamples, seed=run.plan.seed
    )
    common = dict(
        id="scores.flat",
        rule="scores.flat",
        threshold=thresholds.label("scores.flat.most_share"),
        criterion=f"For at most {most:.0%} of the explained pairs the picture hardly raises the score above a hidden "
        "one's.",
        evidence=(Number(name="share of pairs without a rise", **vars(share)),),
        reproduce=_again(run),
    )
    if share.n < thresholds["general.least_images"] or share.value is None:
        yield _cannot("Too few pictures to say how many scores are flat", share.n, thresholds, common)
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


def _worst_share(run: Run, method: str, control: str) -> tuple[float, tuple[Sample, ...], tuple[Sample, ...]]:
    rows = run.results(["image", "image_name", "text", "text_kind", "kind", "method", "faithfulness"])
    key = ["image", "image_name", "text", "text_kind"]
    own = rows[(rows.kind == "method") & (rows.method == method)][[*key, "faithfulness"]]
    other = rows[(rows.kind == "control") & (rows.method == control)][[*key, "faithfulness"]]
    both = own.merge(other, on=key, suffixes=("", "_control")).dropna()
    both["difference"] = both.faithfulness - both.faithfulness_control
    both = both.sort_values(["difference", "image_name"])
    share = float((both.difference <= 0).mean()) if len(both) else 1.0
    lost = [
        _sample(row, (method,), f"{row.difference:+.2f} against {control}") for row in both.head(SAMPLES).itertuples()
    ]
    won = [
        _sample(row, (method,), f"{row.difference:+.2f} against {control}")
        for row in both.tail(SAMPLES).iloc[::-1].itertuples()
    ]
    return share, tuple(lost), tuple(won)


def _pair_samples(rows: pd.DataFrame, methods: tuple[str, ...]) -> tuple[Sample, ...]:
    return tuple(_sample(row, methods[:3], f"mean rank correlation {row.value:+.2f}") for row in rows.itertuples())


def _row_samples(rows: pd.DataFrame, methods: tuple[str, ...]) -> tuple[Sample, ...]:
    return tuple(_sample(row, methods[:3], f"score {row.score:.3f}") for row in rows.itertuples())


def _sample(row, methods: tuple[str, ...], note: str) -> Sample:  # type: ignore[no-untyped-def]
    return Sample(image=row.image, image_name=row.image_name, text=row.text, methods=methods, note=note)


def _cannot(title: str, n: int, thresholds: Thresholds, common: dict) -> Finding:  # type: ignore[type-arg]
    least = thresholds["general.least_images"]
    return cannot_conclude(
        title=title,
        condition=f"Only {n} pictures carry this measure; at least {least} are needed.",
        **common,
    )


def _title(method: str) -> str:
    return METHODS[method].title


def _opt(value: float) -> float | None:
    return None if value is None or np.isnan(value) else float(value)


def _again(run: Run) -> str:
    return f"python -m core resume {run.handle} && python -m core report {run.handle}"
