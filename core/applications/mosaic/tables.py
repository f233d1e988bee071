"""The tables on mosaics, for the report and the page. No torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from core.content.tables import ColumnSpec, TableSpec
from core.content.words import bounded, number
from core.rules.parts import title_of


def _measure(name: str) -> Callable[[Any], str]:
    return lambda row: bounded(getattr(row, name), getattr(row, f"{name}_low"), getattr(row, f"{name}_high"))


METHODS = TableSpec(
    ColumnSpec("Method", lambda row: title_of(row.method), share=26),
    ColumnSpec(
        "In its tile",
        _measure("share"),
        "number",
        help="share of the map's positive values in the tile of the text, with 95 % interval",
    ),
    ColumnSpec(
        "Mass",
        _measure("energy"),
        "number",
        help="the same for all values above the lowest, with 95 % interval",
    ),
    ColumnSpec(
        "Highest cell",
        _measure("pointing"),
        "number",
        help="how often the highest cell lies in the tile of the text, with 95 % interval",
    ),
    ColumnSpec(
        "p",
        lambda row: number(row.p, 3),
        "number",
        11,
        help="one-sided, of a share in its tile no larger than chance, adjusted over methods (Holm)",
    ),
    ColumnSpec("n", "n", "number", 6, help="mosaics", value="n"),
)
PROBLEMS = TableSpec(
    ColumnSpec("Method", lambda row: title_of(row[0]), share=26),
    ColumnSpec("Mosaic", lambda row: row[1] + 1, "number", 10),
    ColumnSpec("Reason", lambda row: row[2]),
)
