"""The rule that a method's maps must order cells better than maps that ignore the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import pandas as pd

from core.evaluation.gains import rows_above_floor
from core.evaluation.summary import Summary
from core.evaluation.tables import VersusRow
from core.findings.method_checks import failing_methods
from core.rules import Context, Outcome, Rule, Sample, Thresholds, Wording
from core.rules.decision import Decision, Decisions
from core.rules.parts import SAMPLES, known, names_of, sample_of, title_of
from core.rules.power import Against, power_of
from core.rules.quantity import of_metric
from core.runs.rows import typed
from core.statistics.families import CONTROLS as CONTROL_TESTS

LEAST, SIGNIFICANCE = "trust.controls.least_difference", "general.significance"
KEY = ["image", "image_name", "text", "text_kind"]
ABOVE = of_metric("faithfulness", "{method}: {metric} less that of the control “{control}”", CONTROL_TESTS)


def beats(row: VersusRow, thresholds: Thresholds) -> bool:
    """Whether a row of `Summary.versus` shows a method above a control: rules and report judge by this one test."""
    low = known(row.low)  # too few images have no interval
    return low is not None and low > float(thresholds[LEAST]) and _significant(row, thresholds)


def loses(row: VersusRow, thresholds: Thresholds) -> bool:
    """Whether a row of `Summary.versus` shows that a method is not above a control: the same test the other way."""
    high = known(row.high)
    return high is not None and high < float(thresholds[LEAST]) and _significant(row, thresholds)


def healthy_methods(summary: Summary, thresholds: Thresholds) -> tuple[str, ...]:
    """The methods that are shown above every control, in the plan's order."""
    return tuple(
        method
        for method in summary.methods
        if len(rows := summary.versus[summary.versus.method == method])
        and all(beats(row, thresholds) for row in typed(rows, VersusRow))
    )


def _significant(row: VersusRow, thresholds: Thresholds) -> bool:
    return bool(row.p_adjusted < float(thresholds[SIGNIFICANCE]))


class Standing(NamedTuple):
    """A method against the control that decides about it: the one it is least above, or shown not to be above.

    `decision` is of all its controls; `needed` the number of images that would decide, None where that is decided,
    cannot be stated or has no interval to start from.
    """

    method: str
    control: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    p_adjusted: float | None
    decision: Decision
    needed: int | None


def standings(context: Context) -> tuple[Standing, ...]:
    """How each trusted method stands against the controls, in the plan's order; none without deletion and insertion."""
    return context.once(_standings)


def _standings(context: Context) -> tuple[Standing, ...]:
    summary, thresholds = context.summary, context.thresholds
    if not context.run.plan.trust.curves:
        return ()
    unavailable = {name for name, side, _ in summary.not_run if side == "image"}
    failing_checks = failing_methods(context)
    tests = summary.versus[summary.versus.p.notna()].groupby("control").size().to_dict()
    versus = {
        name: summary.versus[summary.versus.method == name] for name in summary.methods if name not in failing_checks
    }
    return tuple(
        _standing(name, rows, thresholds, tests)
        for name, rows in versus.items()
        if len(rows) or name not in unavailable
    )


def _standing(method: str, rows: pd.DataFrame, thresholds: Thresholds, tests: Mapping[str, int]) -> Standing:
    decided = _decision(rows, thresholds)
    if rows.empty:
        return Standing(method, "", None, None, None, 0, None, decided, None)
    each = list(typed(rows, VersusRow))
    if decided == "fails":
        each = [row for row in each if loses(row, thresholds)]
    elif decided == "undecided":
        each = [row for row in each if not beats(row, thresholds)]
    row = min(each, key=lambda one: float(one.value))
    needed = None
    if decided == "undecided":
        least, significance = float(thresholds[LEAST]), float(thresholds[SIGNIFICANCE])
        # Whichever way it would be decided, by the same test: its family is that of the control.
        against = Against(least, at_most=row.value > least, tests=tests[row.control])
        power = power_of(row, against, significance)
        needed = power.needed if power is not None else None
    return Standing(
        method, row.control, known(row.value), known(row.low), known(row.high), int(rows.n.min()),
        known(row.p_adjusted), decided, needed,
    )  # fmt: skip


def _measure(context: Context) -> Iterator[Outcome]:
    every = standings(context)
    if not every:
        return
    summary, failing_checks = context.summary, failing_methods(context)
    decisions = Decisions({one.method: one.decision for one in every})
    lost = [one for one in every if one.decision == "fails"]
    values = decisions.values | {
        "excluded": names_of([name for name in summary.methods if name in failing_checks]),
        "n": min(one.n for one in every),
    }
    part = lost or [one for one in every if one.decision == "undecided"] or every
    n = max(one.n for one in every)
    outcome = Outcome(
        decisions.status,
        n=n,
        wording="" if decisions.tested else "few",
        values=values,
        evidence=tuple(ABOVE.of(one, method=title_of(one.method), control=one.control) for one in part if one.control),
    )
    yield _below(context, outcome, lost) if lost else outcome


def _below(context: Context, outcome: Outcome, lost: list[Standing]) -> Outcome:
    """With the method that is furthest below a control: its images, and the largest share of them below."""
    worst, least = min(lost, key=lambda one: one.value or 0.0), float(context.thresholds[LEAST])
    differences = _differences(context, worst.method, worst.control)
    return Outcome(
        "finding",
        n=outcome.n,
        likelihood=max(_concerned(_differences(context, one.method, one.control), least) for one in lost),
        values={**outcome.values, "worst": title_of(worst.method), "control": worst.control},
        evidence=outcome.evidence,
        samples=_samples(differences[differences.difference <= least], worst.method),
        counter=_samples(differences[differences.difference > least].iloc[::-1], worst.method),
    )


def _concerned(differences: pd.DataFrame, least: float) -> float:
    """The share of images whose mean difference is not above the limit."""
    of_images = differences.groupby("image").difference.mean()
    return float((of_images <= least).mean()) if len(of_images) else 1.0


def _decision(rows: pd.DataFrame, thresholds: Thresholds) -> Decision:
    if rows.empty or int(rows.n.min()) < int(thresholds["general.least_images"]) or rows.low.isna().any():
        return "too few"
    if any(loses(row, thresholds) for row in typed(rows, VersusRow)):
        return "fails"
    return "holds" if all(beats(row, thresholds) for row in typed(rows, VersusRow)) else "undecided"


def _differences(context: Context, method: str, control: str) -> pd.DataFrame:
    """`difference` in faithfulness per image and text, the lowest first."""
    rows = rows_above_floor(context.run, (*KEY, "kind", "method", "faithfulness"))
    own = rows[(rows.kind == "method") & (rows.method == method)][[*KEY, "faithfulness"]]
    other = rows[(rows.kind == "control") & (rows.method == control)][[*KEY, "faithfulness"]]
    both = own.merge(other, on=KEY, suffixes=("", "_control")).dropna()
    both["difference"] = both.faithfulness - both.faithfulness_control
    return both.sort_values(["difference", "image_name"])


def _samples(rows: pd.DataFrame, method: str) -> tuple[Sample, ...]:
    return tuple(
        sample_of(row, (method,), f"difference in faithfulness {row.difference:+.2f}")
        for row in rows.head(SAMPLES).itertuples()
    )


# The title of the table of `standings`, which conditions name.
TABLE = "Each method against the control that decides about it"
DETAILS = f"Differences, adjusted p and the images that would decide: table \u201c{TABLE}\u201d."
EXCLUDED = "Excluded, because they fail a check: {excluded}."
CONTROLS_BEATEN = Rule(
    id="trust.controls",
    subject="explanations",
    question="Are each method's maps more faithful than maps that ignore the model?",
    thresholds=(LEAST, SIGNIFICANCE, "general.least_images"),
    criterion="A method's faithfulness (insertion minus deletion) exceeds every control map's by more than "
    "{least_difference:g}: the whole 95 % interval of the difference lies above it, and the adjusted p is below "
    "{significance:g}. A method fails if a difference is shown to lie below it by the same test.",
    wordings={
        "passed": Wording(
            "{passing} of {tested} methods beat every control map",
            "{holds} order the cells better than random, centre and edge maps do. Fewer than {least_images} images: "
            "{few}. " + EXCLUDED,
        ),
        "finding": Wording(
            "{passing} of {tested} methods beat every control map; undecided: {undecided}; worse than one: {failing}",
            "Worse than a control map: {fails}. " + DETAILS + " Fewer than {least_images} images: {few}. " + EXCLUDED,
        ),
        "cannot_conclude": Wording(
            "Inconclusive: {passing} of {tested} methods beat every control map; {undecided} undecided",
            "Shown to be above every control: {holds}. "
            + DETAILS
            + " Fewer than {least_images} images: {few}. "
            + EXCLUDED,
        ),
        "few": Wording(
            "Too few images to compare methods with control maps", "Fewer than {least_images} images: {few}."
        ),
    },
    measure=_measure,
    cause="Hypothesis: the method reads features that the score does not use here, or its map is too coarse.",
    effect="Heat maps of the methods that fail are not evidence of what the model used, and those of undecided methods "
    "are not shown to be.",
    recommendation="Do not base a conclusion on a method that is not shown to beat every control.",
    samples="the images on which {worst} falls furthest below the control map ({control})",
    counter="the images on which it is furthest above the same control map",
)
