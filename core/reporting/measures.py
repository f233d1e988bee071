"""The one table of further measures: means only, a method a row; intervals are in the evidence. No chart."""

from __future__ import annotations

import pandas as pd

from core.evaluation.summary import OTHER_METRICS, Summary
from core.reporting.charts import method_title
from core.reporting.content import Column, Fact, Section, Table
from core.reporting.words import number

TITLE = "Other measures"
DIGITS = 2
# Which way is better, as printed above a column.
_BETTER = {"high": "\u2191", "low": "\u2193", "": ""}
_ABOUT = {
    (
        "sensitivity_n",
    ): "sensitivity-n: does what a map holds for hidden cells go with the score's fall, among coalitions "
    "that hide as many?",
    ("infidelity",): "infidelity: the share of the squared falls that these sums miss at their best scale",
    ("relative_drop", "confidence_increase"): "confidence: the picture is faded where the map is low; the share of the "
    "probability (classes) or cosine (other texts) that is lost, and how often it rises",
    ("blur_faithfulness", "road_faithfulness"): "faithfulness once more, in few steps, with cells blurred or filled in "
    "from around them",
    ("comprehensiveness", "sufficiency"): "words: the cosine's fall, in thousandths, without a text's best words "
    "(comprehensiveness) and with them alone (sufficiency)",
    ("sparseness", "entropy", "effective_area"): "how small a region a map points at (sparseness, entropy, the part of "
    "the cells with half of the values), not whether it is right",
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
    share = 77 // len(measured)
    columns = (
        Column("Map", share=23),
        *(
            Column(f"{title} {_BETTER[better]}".strip(), "number", share)
            for title, better in (OTHER_METRICS[name] for name in measured)
        ),
    )
    return Section(
        TITLE,
        facts=tuple(
            Fact(", ".join(OTHER_METRICS[name][0] for name in names if name in measured), text)
            for names, text in _ABOUT.items()
            if set(names) & set(measured)
        ),
        sentences=(
            "Arrows say which way is better. Each measure plays a game of its own, so that they need not agree; a "
            "method that a control equals has shown nothing by that measure. Sensitivity-n and infidelity favour RISE "
            "and LIME, which are fitted to coalitions of the same draw.",
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
