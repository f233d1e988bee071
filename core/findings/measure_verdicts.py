"""By which measures each method is better, or worse, than the maps that ignore the model. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

from core.evaluation.against_controls import DIRECTED, measures_against_controls
from core.evaluation.metrics import BY_NAME, METRICS
from core.evaluation.tables import MeasureRow
from core.findings.control_rules import LEAST, SIGNIFICANCE
from core.findings.trusted import trusted_methods
from core.rules import Context, Thresholds
from core.rules.parts import known
from core.runs.rows import typed
from core.statistics.families import MEASURES as MEASURE_TESTS

Verdict = Literal["better", "not shown", "worse", "too few"]
COLUMNS = ["image", "text", "text_kind", "kind", "method", "status", "deletion_curve"]


class MeasureVerdict(NamedTuple):
    """What a measure shows of the trusted methods: each as a pair of method and kind of text.

    better: than every control. worse: than at least one control. few: on fewer images than a verdict takes.
    """

    metric: str
    better: tuple[tuple[str, str], ...]
    not_shown: tuple[tuple[str, str], ...]
    worse: tuple[tuple[str, str], ...]
    few: tuple[tuple[str, str], ...]


class MeasureVerdicts(NamedTuple):
    """The rows of a report, in the order of the metric cards, and the sentence about their tests."""

    rows: tuple[MeasureVerdict, ...]
    tests: str


def measure_verdicts(context: Context) -> MeasureVerdicts:
    """What every measure with a direction shows of each trusted method against the controls, worked out once.

    The tests are those of faithfulness: paired by image and text, with an interval and an adjusted p.
    """
    return context.once(_verdicts)


def _verdicts(context: Context) -> MeasureVerdicts:
    stored = [metric.name for metric in METRICS if metric.measure is None]
    rows = context.rows((*COLUMNS, *stored))
    table = measures_against_controls(rows)
    # A method that fails a check stays in the family of the tests, but nothing is concluded about it.
    found = []
    for metric in DIRECTED:
        of_metric = table[table.metric == metric.name]
        verdicts = {
            (name, str(kind)): verdict_of(list(typed(part, MeasureRow)), context.thresholds)
            for name in trusted_methods(context)
            for kind, part in of_metric[of_metric.method == name].groupby("text_kind", sort=True)
        }
        each = (tuple(pair for pair, one in verdicts.items() if one == which) for which in get_args(Verdict))
        if verdicts:
            found.append(MeasureVerdict(metric.name, *each))
    return MeasureVerdicts(tuple(found), MEASURE_TESTS.sentence(table))


def verdict_of(rows: Sequence[MeasureRow], thresholds: Thresholds) -> Verdict:
    """What the rows of one method, one kind of text and one measure, a row per control, show together."""
    if any(row.n < int(thresholds["general.least_images"]) or known(row.low) is None for row in rows):
        return "too few"
    sides = [_side(row, thresholds) for row in rows]
    return "worse" if -1 in sides else "better" if set(sides) == {1} else "not shown"


def _side(row: MeasureRow, thresholds: Thresholds) -> int:
    """1 where the method is shown to be better than the control, -1 where it is shown to be worse, otherwise 0."""
    # Faithfulness has a limit of its own, that of the rule.
    least = float(thresholds[LEAST]) if row.metric == "faithfulness" else 0.0
    sign = 1 if BY_NAME[row.metric].better == "high" else -1
    if not row.p_adjusted < float(thresholds[SIGNIFICANCE]):
        return 0
    return sign if row.low > least else -sign if row.high < least else 0
