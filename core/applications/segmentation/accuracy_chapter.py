"""How right a segmentation is, in the report: the overlap with drawn objects, and recognised labels. No torch."""

from __future__ import annotations

from core.applications.segmentation.multilabel import RECIPES
from core.applications.segmentation.record import (
    FEWEST_RANKED,
    FEWEST_WITH_LABEL,
    SegmentationRecord,
    overlap_table,
    precision_table,
)
from core.applications.segmentation.tables import FIRST, METRICS, OVERLAP, first_rows, precision
from core.content.parts import Section
from core.content.words import plural, shorten
from core.languages import say

MOST_LABELS = 25
# So many names of labels or images are listed in a sentence.
MOST_NAMED = 10


def overlap(record: SegmentationRecord) -> Section:
    """How far the maps overlap with drawn objects; empty where nothing is drawn."""
    table = overlap_table(record)
    if table.empty:
        return Section("Overlap with drawn objects")
    ignored = ""
    if not record.about["has_background"]:
        ignored = " " + say("Pixels without any of the requested labels are not counted.")
    left_out = record.about.get("left_out", ())[:MOST_NAMED]
    return Section(
        "Overlap with drawn objects",
        sentences=(
            say(
                "Ground truth: {truth}. Intersections and unions are summed over images and averaged over the labels "
                "that occur.{ignored} The control assigns the whole image to its best label: maps that are not better "
                "than it add no information about location. There is no interval where a label occurs in fewer than "
                "{images}.",
                truth=record.about["truth"],
                ignored=ignored,
                images=plural(FEWEST_WITH_LABEL, "image"),
            ),
            *[say("Left out of the annotations: {line}.", line=line) for line in left_out],
        ),
        tables=(OVERLAP.table(say("Mean intersection over union with 95 % interval over images"), table),),
    )


def recognition(record: SegmentationRecord) -> Section:
    """Which labels rank first, and how well each recipe recognises them where labels are known."""
    recipe = record.about["recipe"]
    first = first_rows(record)[:MOST_LABELS]
    tables = [FIRST.table(say("Labels that rank first, of {count} images", count=len(record.images)), first)]
    table = precision_table(record)
    for metric, part in table.groupby("metric", sort=False):
        spec = precision(str(metric))
        named = say(METRICS[str(metric)])
        title = say("{metric} of each recipe, with 95 % interval over images", metric=named)
        tables.append(spec.table(title, part))
    told = [
        say(
            "Recipe: {recipe}. The authors published no recipe; all recipes used here are named and compared where "
            "labels are known.",
            recipe=say(RECIPES[recipe]),
        )
    ]
    if not len(table):
        told.append(say("The images have no labels, so no precision can be given."))
    else:
        told.append(
            say(
                "Mean average precision has no interval where a label has fewer than {least} images with it or without "
                "it.",
                least=FEWEST_RANKED,
            )
        )
        if table["exact"].any():
            told.append(
                say(
                    "The same score for all gives the share of true labels; it is exact and has no interval, because "
                    "every image has equally many."
                )
            )
    if unmatched := record.about.get("unmatched"):
        shown = ", ".join(f"{shorten(label, 40)} ({count})" for label, count in unmatched[:MOST_NAMED])
        if len(unmatched) > MOST_NAMED:
            shown = f"{shown} {say('and {count} more', count=len(unmatched) - MOST_NAMED)}"
        told.append(
            say(
                "Not used, because no class or prompt of this audit has the same name: {labels} of the column {column} "
                "({names}).",
                labels=plural(len(unmatched), "label"),
                column=record.about["labels_column"],
                names=shown,
            )
        )
    return Section(
        "Labels recognised in whole images",
        sentences=(" ".join(told),),
        tables=tuple(tables),
    )
