"""The tables on images and texts, for the report and the page. No torch."""

from __future__ import annotations

from core.applications.data_checks.kinds import SIGNALS
from core.content.tables import ColumnSpec, TableSpec
from core.content.words import number, percent, shorten
from core.languages import say
from core.rules import Thresholds


def issue_table(thresholds: Thresholds) -> TableSpec:
    """The kinds of issues, each with its share of the images and the share above which it is a finding."""
    most = percent(float(thresholds["data.quality.most_share"]))
    return TableSpec(
        ColumnSpec("Issue", lambda row: say(row.name), share=20),
        ColumnSpec("Images", "count", "number", 10),
        ColumnSpec("Share", lambda row: percent(row.share), "number", 10),
        ColumnSpec("Finding above", lambda row: most, "number", 12, help="share of the images"),
        ColumnSpec("Definition", "definition"),
    )


COPIES = TableSpec(
    ColumnSpec("Images", lambda row: ", ".join(row.names)),
    ColumnSpec("Lowest correlation", lambda row: number(row.correlation, 2), "number", 18),
)
KINDS = TableSpec(
    ColumnSpec("Group", lambda row: row.group + 1, "number", 10),
    ColumnSpec("Image", "image_name"),
    ColumnSpec("Differs above all in", lambda row: say(SIGNALS.get(row.signal, row.signal)), share=28),
    ColumnSpec("Robust z", lambda row: number(row.z, 1), "number", 14),
)
LANGUAGES = TableSpec(
    ColumnSpec("Texts", lambda row: say(row.kind), share=20),
    ColumnSpec("Language", "language", share=24),
    ColumnSpec("Count", "count", "number", 12),
    ColumnSpec("Example", lambda row: shorten(row.example, 80)),
)
