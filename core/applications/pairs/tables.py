"""The tables on captions and images, for the report and the page. No torch."""

from __future__ import annotations

from core.content.tables import ColumnSpec, TableSpec
from core.content.words import bounded, number, shorten
from core.languages import localised

RANKS = TableSpec(
    ColumnSpec("Search", "title", share=30),
    ColumnSpec("First, 95 % interval", lambda row: bounded(row.first.value, row.first.low, row.first.high), "number"),
    ColumnSpec("Chance", lambda row: number(row.chance, 3), "number", 12),
    ColumnSpec("Median rank", lambda row: localised(f"{row.median_rank:g}"), "number", 14),
    ColumnSpec("Images", lambda row: row.first.n, "number", 10),
)
NAMES = TableSpec(
    ColumnSpec("Class", "name"),
    ColumnSpec("Images whose caption names it", "images", "number", 24, value="images"),
    ColumnSpec(
        "Share, 95 % interval", lambda row: bounded(row.share.value, row.share.low, row.share.high), "number", 34
    ),
)
SUSPECTS = TableSpec(
    ColumnSpec("Image", "image_name", share=18),
    ColumnSpec("Caption", lambda row: shorten(row.caption, 90)),
    ColumnSpec("Unrelated pairs that fit as well", lambda row: number(row.unrelated_share, 2), "number", 16),
    ColumnSpec("Rank of the image", "image_rank", "number", 10, value="image_rank"),
    ColumnSpec("Best other image", "best_image_name", share=18),
)
