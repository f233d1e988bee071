"""The rule that methods must beat maps that know nothing of the model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pandas as pd

from core.evaluation.summary import Summary
from core.findings.finding import Finding, Number, Sample
from core.findings.grading import grade
from core.findings.outcomes import cannot_conclude, passed
from core.findings.parts import SAMPLES, again, known, sample_of, title_of, too_few
from core.findings.thresholds import Thresholds
from core.runs import Run


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
    unsure: list[tuple[str, pd.DataFrame]] = []
    for method in summary.methods:
        rows = summary.versus[summary.versus.method == method]
        if rows.empty and any(name == method and side == "image" for name, side, _ in summary.not_run):
            continue
        if rows.empty or int(rows.n.min()) < enough or rows.low.isna().any():
            unknown.append((method, rows))
        else:
            won = all(beats(row, thresholds) for row in rows.itertuples())
            lost = any(not _above(row, thresholds) for row in rows.itertuples())
            (better if won else worse if lost else unsure).append((method, rows))
    tested = len(better) + len(worse) + len(unsure)

    def common(which: str, part: list[tuple[str, pd.DataFrame]]) -> dict[str, Any]:
        return dict(
            id=f"trust.controls.{which}",
            rule="trust.controls",
            threshold=thresholds.label("trust.controls.least_difference"),
            criterion="A method's faithfulness (insertion minus deletion) exceeds every control map's by more than "
            f"{least:g}, with a 95 % interval that excludes it and an adjusted p below {significance:g}.",
            evidence=_least_above(part),
            reproduce=again(run),
        )

    if unknown:
        n = min(0 if rows.empty else int(rows.n.min()) for _, rows in unknown)
        yield too_few(
            f"Too few pictures to compare {_listed(unknown)} with controls", n, thresholds, common("unknown", unknown)
        )
    if better:
        yield passed(
            title=f"{len(better)} of {tested} methods beat every control",
            condition=f"{_listed(better)} order the cells better than random, centre and edge maps do.",
            **common("better", better),
        )
    if worse:
        yield _not_better(run, worse, tested, thresholds, common("worse", worse))
    if unsure:
        yield cannot_conclude(
            title=f"Whether {len(unsure)} of {tested} methods beat every control can't be said",
            condition=f"{_listed(unsure)}: every interval lies above {least:g}, but with this many comparisons the "
            "pictures don't suffice to exclude chance.",
            **common("undecided", unsure),
        )


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
    # Named where a method loses to some controls only.
    all_lost = [name for name, rows in worse if len(lost[name]) == len(rows)]
    some = [f"{title_of(name)} (to {', '.join(rows.control)})" for name, rows in lost.items() if name not in all_lost]
    each = "; ".join(
        [*([f"to every control {_listed([(name, None) for name in all_lost])}"] if all_lost else []), *some]
    )
    return Finding(
        status="finding",
        severity=word,
        grade=made,
        title=f"{len(worse)} of {tested} methods aren't shown to be better than a map that ignores the text",
        condition=f"The difference in faithfulness isn't shown to be above {least:g}: an interval reaches it. "
        f"Not shown: {each}.",
        samples=most_lost,
        rule_of_samples=f"the pictures where {title_of(method)}, which loses most, does so most clearly",
        counter=most_won,
        counter_note="the pictures where it wins most",
        cause="Hypothesis: the method reads features that the score doesn't use there, or its map is too coarse.",
        effect="Its heat maps can't be taken as evidence of what the model used.",
        recommendation="Don't base a conclusion on one of these methods alone; prefer methods that beat every control "
        "here.",
        **common,
    )


def beats(row: Any, thresholds: Thresholds) -> bool:
    """Whether a row of `Summary.versus` shows a method above a control: rules and report judge by this one test."""
    return bool(_above(row, thresholds) and row.p_adjusted < float(thresholds["general.significance"]))


def _above(row: Any, thresholds: Thresholds) -> bool:
    low = known(row.low)  # too few images have no interval
    return low is not None and low > float(thresholds["trust.controls.least_difference"])


def healthy_methods(summary: Summary, thresholds: Thresholds) -> tuple[str, ...]:
    """The methods that are shown above every control, in the plan's order."""
    return tuple(
        method
        for method in summary.methods
        if len(rows := summary.versus[summary.versus.method == method])
        and all(beats(row, thresholds) for row in rows.itertuples())
    )


def _least_above(part: list[tuple[str, pd.DataFrame]]) -> tuple[Number, ...]:
    """For each method the control that it is least above."""
    found = []
    for method, rows in part:
        if not rows.empty:
            row = rows.loc[rows.value.astype(float).idxmin()]
            name = f"{title_of(method)} above {row.control}"
            found.append(Number(name=name, value=row.value, low=known(row.low), high=known(row.high), n=int(row.n)))
    return tuple(found)


def _listed(part: Iterable[tuple[str, Any]]) -> str:
    names = [title_of(method) for method, _ in part]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


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
        sample_of(row, (method,), f"{row.difference:+.2f} against {control}") for row in both.head(SAMPLES).itertuples()
    ]
    won = [
        sample_of(row, (method,), f"{row.difference:+.2f} against {control}")
        for row in both.tail(SAMPLES).iloc[::-1].itertuples()
    ]
    return share, tuple(lost), tuple(won)
