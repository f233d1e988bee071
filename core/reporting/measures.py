"""The one table of further measures: means only, a method a row; intervals are in the evidence. No chart."""

from __future__ import annotations

import pandas as pd

from core.content.parts import Fact, Section
from core.content.tables import TableSpec
from core.content.words import number
from core.evaluation.metrics import BY_NAME, FURTHER, Metric
from core.evaluation.summary import Summary
from core.evaluation.tables import TrustRow
from core.reporting.tables import CellsRow, by_title, cell_column, wide
from core.rules.parts import title_of
from core.runs.rows import typed

TITLE = "Other measures"
DIGITS = 2


def other_measures(summary: Summary) -> Section:
    """Every further metric that was taken, of methods and controls; empty if none was."""
    table = summary.trust[summary.trust.metric.isin([metric.name for metric in FURTHER])]
    metrics = [metric for metric in FURTHER if metric.name in set(table.metric)]
    if not metrics:
        return Section(TITLE)
    beside = "; in brackets medians, where a metric is divided by a gain" if any(m.divisor for m in metrics) else ""
    spec, rows = further_table(summary)
    return Section(
        TITLE,
        facts=tuple(Fact(metric.short, f"{metric.title}: {metric.about}.") for metric in metrics),
        sentences=(
            "Arrows show which direction is better. Each metric measures a different property, so they need not "
            "agree; a method that is no better than a control by a metric gives no evidence by it. Sensitivity-n and "
            "infidelity favour RISE and LIME, which are fitted to coalitions of the same draw.",
        ),
        tables=(spec.table(f"Means over images, {_counts(table)}{beside}", rows, _WHERE),),
    )


def further_table(summary: Summary) -> tuple[TableSpec, list[CellsRow]]:
    """The means of every further metric that was taken, a method or control per row, controls last."""
    table = summary.trust[summary.trust.metric.isin([metric.name for metric in FURTHER])]
    metrics = [metric for metric in FURTHER if metric.name in set(table.metric)]
    rows = []
    for (kind, name), part in table.groupby(["kind", "method"], sort=False):
        printed = {row.metric: _printed(BY_NAME[row.metric], row.value, row.median) for row in typed(part, TrustRow)}
        rows.append(CellsRow(title_of(str(name)) + (" (control)" if kind == "control" else ""), printed))
    share = 77 // max(len(metrics), 1)
    columns = [cell_column(one.name, f"{one.short} {one.arrow}".strip(), share, "", one.help) for one in metrics]
    return wide("Map", 23, columns), sorted(rows, key=by_title)


_WHERE = "An empty cell was not measured: words need a text side, and a constant map has no order; maps of "
_WHERE += "controls are not stored, so that their roughness is not known. Intervals and n of "
_WHERE += "every cell are in evidence.zip, tables/trust.csv."


def _printed(metric: Metric, mean: float, median: float) -> str:
    """The mean, and in brackets the median where the metric is divided by a gain."""
    digits = 1 if metric.factor > 1 else DIGITS
    beside = f" ({number(median * metric.factor, digits)})" if metric.divisor else ""
    return f"{number(mean * metric.factor, digits)}{beside}"


def _counts(table: pd.DataFrame) -> str:
    low, high = int(table.n.min()), int(table.n.max())
    return f"n = {high} images" if low == high else f"n = {low} to {high} images"
