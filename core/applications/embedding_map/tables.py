"""The tables on the faithfulness of a layout, for the report and the page. No torch."""

from __future__ import annotations

from core.content.tables import ColumnSpec, TableSpec
from core.content.words import bounded
from core.languages import say

TITLES = {"preserved": "nearest neighbours preserved", "trustworthiness": "trustworthiness"}  # messages


def _titled(layout: str) -> str:
    """The name of a layout at the head of a row; t-SNE is written so everywhere."""
    told = say(layout)
    return told if layout.startswith("t-") else told[:1].upper() + told[1:]


FAITHFULNESS = TableSpec(
    ColumnSpec("Layout", lambda row: _titled(row.layout), share=26),
    ColumnSpec(
        "Measure",
        lambda row: say(TITLES.get(row.measure, row.measure)),
        share=30,
        help="Share of the nearest images in the layout that are nearest by embedding too, or 1 less the penalty for "
        "those that are not, by their rank; both from 0 to 1",
    ),
    ColumnSpec("Mean, 95 % interval", lambda row: bounded(row.value, row.low, row.high), "number", 35),
    ColumnSpec("n", "n", "number", 9, value="n"),
)
