"""The rule that a method's maps must order cells better than maps that ignore the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from core.content.words import bounded
from core.evaluation.gains import rows_above_floor
from core.evaluation.summary import Summary
from core.evaluation.tables import VersusRow
from core.findings.method_checks import failing_methods
from core.rules import Context, Number, Outcome, Rule, Sample, Thresholds, Wording
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


def _measure(context: Context) -> Iterator[Outcome]:
    summary, thresholds = context.summary, context.thresholds
    if not context.run.plan.trust.curves:
        return
    unavailable = {name for name, side, _ in summary.not_run if side == "image"}
    failing_checks = failing_methods(context)
    trusted = [name for name in summary.methods if name not in failing_checks]
    versus = {name: summary.versus[summary.versus.method == name] for name in trusted}
    versus = {name: rows for name, rows in versus.items() if len(rows) or name not in unavailable}
    if not versus:
        return
    decisions = Decisions({name: _decision(rows, thresholds) for name, rows in versus.items()})
    failing, undecided = decisions.names("fails"), decisions.names("undecided")
    lost = {
        name: versus[name][[loses(row, thresholds) for row in typed(versus[name], VersusRow)]].sort_values("value")
        for name in failing
    }
    tests = summary.versus[summary.versus.p.notna()].groupby("control").size().to_dict()
    values = decisions.values | {
        "lost": "; ".join(f"{title_of(name)}: {_stated(rows.iloc[0])}" for name, rows in lost.items()),
        "open": "; ".join(_open(name, versus[name], thresholds, tests) for name in undecided) or "none",
        "excluded": names_of([name for name in summary.methods if name in failing_checks]),
        "n": min((int(rows.n.min()) if len(rows) else 0) for rows in versus.values()),
    }
    part = failing or undecided or list(versus)
    n = max((int(rows.n.min()) if len(rows) else 0) for rows in versus.values())
    outcome = Outcome(decisions.status, n=n, values=values, evidence=_evidence(part, versus))
    if not failing:
        yield (
            outcome
            if decisions.tested
            else Outcome("cannot_conclude", n=n, wording="few", values=values, evidence=outcome.evidence)
        )
        return
    worst = min(lost, key=lambda name: float(lost[name].value.iloc[0]))
    differences = _differences(context, worst, str(lost[worst].control.iloc[0]))
    least = float(thresholds[LEAST])
    concerned = [
        _concerned(_differences(context, name, str(rows.control.iloc[0])), least) for name, rows in lost.items()
    ]
    yield Outcome(
        "finding",
        n=n,
        likelihood=max(concerned),
        values=values | {"worst": title_of(worst), "control": str(lost[worst].control.iloc[0])},
        evidence=outcome.evidence,
        samples=_samples(differences[differences.difference <= least], worst),
        counter=_samples(differences[differences.difference > least].iloc[::-1], worst),
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


def _stated(row: VersusRow) -> str:
    return f"{bounded(row.value, row.low, row.high)} against {row.control}"


def _open(name: str, rows: pd.DataFrame, thresholds: Thresholds, tests: Mapping[str, int]) -> str:
    """The control that an undecided method is least above, and about how many images would decide."""
    open_rows = rows[[not beats(row, thresholds) for row in typed(rows, VersusRow)]]
    row = open_rows.loc[open_rows.value.astype(float).idxmin()]
    least, significance = float(thresholds[LEAST]), float(thresholds[SIGNIFICANCE])
    # Whichever way it would be decided, by the same test: its family is that of the control.
    power = power_of(row, Against(least, at_most=row.value > least, tests=tests[row.control]), significance)
    more = f"; about {power.needed:,} images would decide" if power is not None and power.needed else ""
    return f"{title_of(name)}, {_stated(row)}{more}"


def _evidence(names: list[str], versus: dict[str, pd.DataFrame]) -> tuple[Number, ...]:
    """For each method the control that it is least above."""
    rows = [versus[name].loc[versus[name].value.astype(float).idxmin()] for name in names if len(versus[name])]
    return tuple(ABOVE.of(row, method=title_of(row.method), control=row.control) for row in rows)


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


DECIDE = (
    "Numbers of images that would decide are for 90 % power in the adjusted test, if mean and spread stay the same."
)
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
            "Worse than a control map, by the difference in faithfulness: {lost}. Undecided: {open}. " + DECIDE + " "
            "Fewer than {least_images} images: {few}. " + EXCLUDED,
        ),
        "cannot_conclude": Wording(
            "Inconclusive: {passing} of {tested} methods beat every control map; {undecided} undecided",
            "Shown to be above every control: {holds}. Undecided, each with its smallest difference: {open}. "
            + DECIDE
            + " "
            "Fewer than {least_images} images: {few}. " + EXCLUDED,
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
