"""The one table of further measures: means only, a method a row; intervals are in the evidence. No chart."""

from __future__ import annotations

import pandas as pd

from core.evaluation.summary import OTHER_METRICS, Summary
from core.reporting.charts import method_title
from core.reporting.content import Column, Section, Table
from core.reporting.words import number

TITLE = "Other measures"
DIGITS = 2
_ABOUT = {
    "sensitivity_n": "Sensitivity-n: correlation of what a map holds for hidden cells and the score's fall, among "
    "coalitions that hide as many",
    "infidelity": "infidelity: the share of the squared falls that these sums miss even at their best scale",
    "relative_drop": "confidence: the picture is faded where the map is low; by what share the probability (classes) "
    "or the cosine (other texts) falls, and how often it rises",
    "blur_faithfulness": "faithfulness once more in few steps with cells blurred",
    "road_faithfulness": "with cells filled in from around them (ROAD), so that no hole has a shape",
    "comprehensiveness": "comprehensiveness and sufficiency: the cosine's fall without a text's best words, and with "
    "them alone, here in thousandths",
    "sparseness": "sparseness (Gini), entropy and effective area (the least part of the cells with half of the values) "
    "say how small a region a map points at and not whether it is right",
}
# Falls of a cosine are small numbers.
_FACTOR = {"comprehensiveness": 1000.0, "sufficiency": 1000.0}


def other_measures(summary: Summary) -> Section:
    """Every measure of `OTHER_METRICS` that was taken, of methods and controls; empty if none was."""
    table = summary.trust[summary.trust.metric.isin(list(OTHER_METRICS))]
    measured = [metric for metric in OTHER_METRICS if metric in set(table.metric)]
    if not measured:
        return Section(TITLE)
    rows = []
    for (kind, name), part in table.groupby(["kind", "method"], sort=False):
        means = {row.metric: _told(row.metric, row.value) for row in part.itertuples()}
        title = method_title(str(name)) + (" (control)" if kind == "control" else "")
        rows.append((title, *(means.get(metric, "") for metric in measured)))
    rows.sort(key=lambda row: (row[0].endswith("(control)"), row[0]))
    share = 76 // len(measured)
    columns = (
        Column("Map", share=24),
        *(Column(", ".join(part for part in OTHER_METRICS[m] if part), "number", share) for m in measured),
    )
    about = "; ".join(text for metric, text in _ABOUT.items() if metric in measured)
    return Section(
        TITLE,
        sentences=(
            f"{about}. Each plays a game of its own, so that they need not agree; a method that a control equals has "
            "shown nothing by that measure.",
        ),
        tables=(Table(f"Means over pictures, {_counts(table)}", columns, tuple(rows), _WHERE),),
    )


_WHERE = "An empty cell was not measured: words need a text side, and a constant map has no order. Intervals and n of "
_WHERE += "every cell are in evidence.zip, tables/trust.csv."


def _told(metric: str, value: float) -> str:
    factor = _FACTOR.get(metric, 1.0)
    return number(value * factor, 1 if factor > 1 else DIGITS)


def _counts(table: pd.DataFrame) -> str:
    low, high = int(table.n.min()), int(table.n.max())
    return f"n = {high} pictures" if low == high else f"n = {low} to {high} pictures"
