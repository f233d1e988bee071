"""The tables on groups of images, for the report and the page. No torch."""

from __future__ import annotations

from core.applications.subgroups.association import EVERY_WORD
from core.content.tables import ColumnSpec, TableSpec
from core.content.words import bounded, number, p_value
from core.languages import say

EFFECTS = TableSpec(
    ColumnSpec("Column", lambda row: row.group.column_words, share=10),
    ColumnSpec("Group", lambda row: row.group.value_words, share=14),
    ColumnSpec("Measure", lambda row: f"{row.measure.title} ({say('stated')})" if row.stated else row.measure.title),
    ColumnSpec(
        "Effect, 95 % interval",
        lambda row: say(
            "{side} in {share}", side=say(row.side), share=bounded(*(round(value, 2) for value in row.one_sided))
        ),
        "number",
        16,
        help="The share of pairs of an image of the group and another image in which that of the group has the higher "
        "value, or the lower one where that is more frequent",
    ),
    ColumnSpec("Adjusted p", lambda row: p_value(row.p_adjusted), "number", 10),
    ColumnSpec("n", lambda row: f"{row.n}, {row.others}", "number", 8, help="Images of the group, other images"),
    ColumnSpec(
        "For the group",
        lambda row: say(row.favour) if row.favour else "",
        share=12,
        help="Favourable: higher scores, a larger lead, more agreement with labels, fewer flips, less implausibility",
    ),
    ColumnSpec("Mean", lambda row: number(row.mean, 3), "number", 8, help="Mean of the measure in the group"),
    ColumnSpec("Others", lambda row: number(row.other_mean, 3), "number", 7, help="Mean in the other images"),
)
ASSOCIATED = TableSpec(
    ColumnSpec("Column", lambda row: row.group.column_words, share=16),
    ColumnSpec("Group", lambda row: row.group.value_words, share=18),
    ColumnSpec("Words", lambda row: say(EVERY_WORD) if row.entry == EVERY_WORD else row.entry),
    ColumnSpec(
        "Effect size, 95 % interval",
        lambda row: bounded(row.size, row.low, row.high),
        "number",
        22,
        help="The mean association of the group less that of the other images, in standard deviations of all",
    ),
    ColumnSpec("p", lambda row: p_value(row.p), "number", 10),
    ColumnSpec("Adjusted p", lambda row: p_value(row.p_adjusted), "number", 11),
    ColumnSpec("n", lambda row: f"{row.n}, {row.others}", "number", 9, help="Images of the group, other images"),
)
