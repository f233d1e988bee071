"""The tables on maps of single words, for the report and the page. No torch."""

from __future__ import annotations

import numpy as np

from core.applications.word_maps.measures import MEASURES
from core.applications.word_maps.record import INTERACTION, SHARED
from core.content.tables import ColumnSpec, TableSpec
from core.content.words import bounded, number, percent
from core.languages import say

MEASURED = TableSpec(
    ColumnSpec("Measure", lambda row: say(MEASURES[row.measure])),
    ColumnSpec(
        "Mean over images",
        lambda row: bounded(row.value, row.low, row.high) if row.n else say("not measured"),
        "number",
        26,
        help="with 95 % interval over images",
    ),
    ColumnSpec("n", "n", "number", 8, help="images", value="n"),
)
WORDS = TableSpec(
    ColumnSpec("Word", "word"),
    ColumnSpec("Function word", "function", value=lambda row: bool(row.function), only="page"),
    ColumnSpec(
        "Marginal effect",
        lambda row: number(row.effect, 4),
        "number",
        20,
        help="mean change of the cosine when the word is kept",
        value=lambda row: np.round(row.effect, 4),
    ),
    ColumnSpec(
        "Of the interactions",
        lambda row: percent(getattr(row, INTERACTION)),
        "number",
        24,
        help="its share of the absolute values of all words' maps by interactions",
        value=lambda row: np.round(getattr(row, INTERACTION), 3),
    ),
    ColumnSpec(
        "Of the shared map",
        lambda row: percent(getattr(row, SHARED)),
        "number",
        24,
        help="its share of the absolute values of the shared map",
        value=lambda row: np.round(getattr(row, SHARED), 3),
    ),
)
PROBLEMS = TableSpec(ColumnSpec("Image", lambda row: row[0]), ColumnSpec("Reason", lambda row: row[1]))
