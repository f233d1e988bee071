"""The further measures: their means, a method a row, and by which of them a method is better than the controls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pandas as pd

from core.content.context import ReportContext
from core.content.parts import Fact, Section, Table
from core.content.tables import ColumnSpec, TableSpec
from core.content.words import number
from core.evaluation.metrics import BY_NAME, FURTHER, Metric
from core.evaluation.summary import Summary
from core.evaluation.tables import TrustRow
from core.findings.measure_verdicts import MeasureVerdict, measure_verdicts
from core.languages import say
from core.reporting.tables import CellsRow, by_title, cell_column, control_title, wide
from core.rules import Context
from core.rules.parts import kind_words, names_by_kind, title_of
from core.runs.rows import typed

TITLE = "Other measures"  # messages
DIGITS = 2
# Methods and kinds of text that a sentence counts measures for; of more, the table alone tells.
MOST_PAIRS = 8


def other_measures(context: ReportContext) -> Section:
    """Every further metric that was taken, of methods and controls; empty if none was."""
    summary = context.summary
    table = summary.trust[summary.trust.metric.isin([metric.name for metric in FURTHER])]
    metrics = [metric for metric in FURTHER if metric.name in set(table.metric)]
    if not metrics:
        return Section(TITLE)
    medians = any(metric.divisor for metric in metrics)
    beside = say("; in brackets medians, where a metric is divided by a gain") if medians else ""
    spec, rows = further_table(summary)
    return Section(
        TITLE,
        facts=tuple(Fact(metric.short, f"{say(metric.title)}: {say(metric.about)}.") for metric in metrics),
        sentences=(
            say(
                "Arrows show which direction is better. Each metric measures a different property, so they need not "
                "agree; a method that is no better than a control by a metric gives no evidence by it. Sensitivity-n "
                "and infidelity favour RISE and LIME, which are fitted to coalitions of the same draw."
            ),
        ),
        results=against_controls_sentences(context.judged),
        tables=(
            spec.table(f"{_means(table)}{beside}", rows, _where(rows, len(metrics))),
            *by_measure(context.judged),
        ),
    )


def by_measure(context: Context) -> tuple[Table, ...]:
    """The table of what each measure shows of each method against the controls; none where nothing was tested."""
    verdicts = measure_verdicts(context)
    if not verdicts.rows:
        return ()
    few = any(row.few for row in verdicts.rows)
    least = context.thresholds["general.least_images"]
    left = say(" A method with fewer than {least} images for a kind of text is not in the table for it.", least=least)
    note = say(
        "For each kind of text, by the same paired test as faithfulness: the whole interval of the difference on one "
        "side of 0, and an adjusted p below {significance:g}. {tests}{left}",
        significance=context.thresholds["general.significance"],
        tests=verdicts.tests,
        left=left if few else "",
    )
    title = say("Each method against the controls, by every measure")
    return (BY_MEASURE.table(title, verdicts.rows, note, "body"),)


def against_controls_sentences(context: Context) -> tuple[str, ...]:
    """By how many measures each trusted method is shown to be better than every control, or worse than one."""
    rows = measure_verdicts(context).rows
    better = Counter(pair for row in rows for pair in row.better)
    worse = Counter(pair for row in rows for pair in row.worse)
    tested = Counter(pair for row in rows for pair in (*row.better, *row.not_shown, *row.worse))
    if not tested or len(tested) > MOST_PAIRS:
        return ()
    each = "; ".join(
        say(
            "{method} for {kinds} {better} of {count} (worse than a control in {worse})",
            method=title_of(method),
            kinds=kind_words(kind),
            better=better[method, kind],
            count=count,
            worse=worse[method, kind],
        )
        for (method, kind), count in tested.items()
    )
    return (say("Number of measures by which a method is shown to be better than every control: {each}.", each=each),)


def further_table(summary: Summary) -> tuple[TableSpec, list[CellsRow]]:
    """The means of every further metric that was taken, a method or control per row, controls last."""
    table = summary.trust[summary.trust.metric.isin([metric.name for metric in FURTHER])]
    metrics = [metric for metric in FURTHER if metric.name in set(table.metric)]
    rows = []
    for (kind, name), part in table.groupby(["kind", "method"], sort=False):
        printed = {row.metric: _printed(BY_NAME[row.metric], row.value, row.median) for row in typed(part, TrustRow)}
        control = kind == "control"
        rows.append(CellsRow(control_title(str(name)) if control else title_of(str(name)), printed, control))
    # A mean with its median beside it needs more room than a mean.
    parts = [1.5 if one.divisor else 1 for one in metrics]
    shares = [int(79 * part / sum(parts)) for part in parts]
    columns = [
        cell_column(one.name, f"{say(one.short)} {one.arrow}".strip(), share, "", one.help)
        for one, share in zip(metrics, shares, strict=True)
    ]
    return wide("Map", 21, columns), sorted(rows, key=by_title)


def _where(rows: Sequence[CellsRow], metrics: int) -> str:
    told = say("Intervals and n of every cell are in evidence.zip, tables/trust.csv.")
    if all(len(row.cells) >= metrics for row in rows):
        return told
    empty = say(
        "An empty cell was not measured: measures of words need a method that explains the text, a constant map has no "
        "order, and maps of controls are not stored, so that their roughness is not known."
    )
    return f"{empty} {told}"


BY_MEASURE = TableSpec(
    ColumnSpec(
        "Measure", lambda row: f"{say(BY_NAME[row.metric].title)} ({say(BY_NAME[row.metric].direction)})", share=25
    ),
    ColumnSpec("Better than every control", lambda row: _listed(row, row.better), share=25),
    ColumnSpec("Not shown", lambda row: _listed(row, row.not_shown), share=25),
    ColumnSpec("Worse than a control", lambda row: _listed(row, row.worse), share=25),
)


def _listed(row: MeasureVerdict, pairs: Sequence[tuple[str, str]]) -> str:
    """Methods and kinds of text by name; the longest of the three lists of a row by its number where it is long."""
    lists = (row.better, row.not_shown, row.worse)
    if len(pairs) <= MOST_PAIRS or len(pairs) < max(map(len, lists)):
        return names_by_kind(pairs)
    total = sum(map(len, lists))
    if len(pairs) == total:
        return say("all {total} combinations of method and kind of text", total=total)
    return say("the other {count} of {total} combinations of method and kind of text", count=len(pairs), total=total)


def _printed(metric: Metric, mean: float, median: float) -> str:
    """The mean, and in brackets the median where the metric is divided by a gain."""
    digits = 1 if metric.factor > 1 else DIGITS
    beside = f" ({number(median * metric.factor, digits)})" if metric.divisor else ""
    return f"{number(mean * metric.factor, digits)}{beside}"


def _means(table: pd.DataFrame) -> str:
    low, high = int(table.n.min()), int(table.n.max())
    if low == high:
        return say("Means over images, n = {n} images", n=high)
    return say("Means over images, n = {low} to {high} images", low=low, high=high)
