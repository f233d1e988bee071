"""Mutual knowledge in the report. No torch."""

from __future__ import annotations

import numpy as np

from core.applications.knowledge.measures import (
    assignment,
    decision_told,
    edit_chart,
    part_image,
    removal_chart,
    seeds_told,
    signs_result,
    signs_told,
    written,
)
from core.applications.knowledge.record import KnowledgeRecord, PartitionRow, of_run
from core.applications.knowledge.tables import (
    CLASSES,
    EDIT_MEASURES,
    EDITS,
    OVERLAP,
    OVERLAP_MEASURES,
    PARTS,
    SHARES,
    PartRow,
    class_rows,
    decision_rows,
    measure_rows,
)
from core.content.assets import Assets
from core.content.charts import to_svg
from core.content.context import ReportContext
from core.content.parts import Chart, Fact, Heat, Section
from core.content.words import share, shorten
from core.runs import Run
from core.runs.rows import typed

SHOWN = 3
MOST_CLASSES = 30
MODEL = "this model"
NEAREST = (
    "Descriptors are the nearest phrases of a bank. They need not be true: a phrase may name a part or a colour that "
    "neither the image nor the class has."
)


def sections(context: ReportContext) -> tuple[Section, ...]:
    """What mutual knowledge found in this run; nothing if it was not computed."""
    run, assets = context.run, context.assets
    record = context.judged.record(of_run)
    if record is None:
        return ()
    return (
        _overview(record, assets),
        _classes(record),
        _edits(record, assets),
        _images(run, record, assets),
    )


def _overview(record: KnowledgeRecord, assets: Assets) -> Section:
    about, images = record.about, record.images
    bank, n = about["bank"], len(images)
    sources = ", ".join(f"{count:,} {source}" for source, count in bank["sources"].items())
    unknown = f"; not in WordNet: {', '.join(bank['unknown'][:8])}" if bank["unknown"] else ""
    facts = [
        Fact("Images", f"{n:,}; each grouped by {assignment(record)}"),
        Fact("Descriptors", f"{bank['size']:,} ({sources}){unknown}{'; ' + bank['note'] if bank['note'] else ''}"),
        Fact("Removed phrases", f"{len(bank['dropped']):,} phrases that mention a class or a synonym"),
        Fact("Expected at random", f"{images['expected_shared'].mean():.2f} shared concepts per image"),
        Fact("Without a foreground", share(int(record.partitions.groupby("image")["whole"].any().sum()), n)),
        Fact(
            "No descriptor common to all parts",
            share(int(record.partitions.groupby("image")["fallback"].any().sum()), n),
        ),
    ]
    told = {"K-means variability": seeds_told(record), "Variability of component signs": signs_told(record)}
    facts += [Fact(name, value) for name, value in told.items() if value]
    chart = assets.chart(to_svg(removal_chart({MODEL: record}), "Mean score while concepts are removed"))
    (jaccard,) = measure_rows({MODEL: record}, ("jaccard",))
    result = f"Jaccard index of the visual and class concepts of an image: {written(jaccard.own)}"
    if jaccard.ahead is not None:
        result += f"; above that with other classes by {written(jaccard.ahead)}"
    caption = f"Mean score after each removed concept, n = {n} images; intervals of the areas are in the table."
    return Section(
        "Mutual knowledge",
        facts=tuple(facts),
        sentences=(
            "Parts of each image are named by descriptors that mention no class (visual concepts), and the predicted "
            "class by the descriptors nearest to its text (class concepts). Descriptors in both sets are shared.",
            "The score is log(N · M · K) for N visual, M class and K shared concepts, 0 without any. It rises with "
            "the overlap, which textbook mutual information would not, and it is not a probability. Overlap with "
            "other classes is the control: only the excess over it is specific to this class.",
            NEAREST,
        ),
        results=tuple(filter(None, (f"{result}.", decision_told(record), signs_result(record)))),
        charts=(Chart(chart, "Mean mutual-knowledge score while concepts are removed", caption),),
        tables=(
            OVERLAP.table(
                "Overlap of visual and class concepts with 95 % interval",
                measure_rows({MODEL: record}, OVERLAP_MEASURES),
                place="body",
            ),
        ),
    )


def _classes(record: KnowledgeRecord) -> Section:
    rows = class_rows(record)
    more = f"{len(rows) - MOST_CLASSES} more classes are in the run." if len(rows) > MOST_CLASSES else ""
    return Section(
        "Concepts that image and class share",
        tables=(CLASSES.table("Per predicted class, the most frequent first", rows[:MOST_CLASSES], more),),
    )


def _edits(record: KnowledgeRecord, assets: Assets) -> Section:
    n = len(record.images)
    chart = assets.chart(to_svg(edit_chart(record), "Mean probability while concepts are deleted or inserted"))
    caption = f"Mean probability of the predicted class, n = {n} images; intervals of the areas are in the table."
    return Section(
        "Deleting and inserting concepts",
        sentences=(
            "The part of an image's embedding that its visual concepts span is removed (deletion) or kept alone "
            "(insertion), the most relevant concept first. The same number of random descriptors is the control: "
            "concepts that do no better do not explain the decision.",
        ),
        charts=(Chart(chart, "Probability of the class while concepts are deleted or inserted", caption),),
        tables=(
            EDITS.table("Area under the curves with 95 % interval", measure_rows({MODEL: record}, EDIT_MEASURES)),
            SHARES.table("Decisions, with 95 % interval", decision_rows({MODEL: record})),
        ),
    )


def _images(run: Run, record: KnowledgeRecord, assets: Assets) -> Section:
    images = record.images.sort_values(["auc", "image_name"], kind="stable")
    places = np.unique(np.linspace(0, len(images) - 1, SHOWN).round().astype(int))
    known = {entry.id: entry for entry in run.dataset.images}
    heats, rows = [], []
    for image in images["image"].iloc[places[::-1]]:
        for row in typed(record.partitions[record.partitions["image"] == image], PartitionRow):
            entry = known[image]
            made = part_image(run, entry, row, run.dataset.open(entry))
            concepts = record.concepts[
                (record.concepts["image"] == image) & (record.concepts["variant"] == row.variant)
            ]
            shared = concepts[concepts["class_rank"] >= 0]["descriptor"]
            first = concepts.sort_values("rank")["descriptor"].head(4)
            name = shorten(entry.name, 40)
            alt_text = f"Parts of {entry.name} in colours over the image"
            heats.append(Heat(assets.photo(made), alt_text, name, row.variant))
            rows.append(PartRow(name, row.variant, row.predicted, row.auc, tuple(first), tuple(shared)))
    return Section(
        "Parts and their names",
        sentences=(
            "The images with the highest, middle and lowest area under the removal curve, for each partition. "
            "Colours mark parts of one group of images; grey is background.",
        ),
        tables=(PARTS.table("Concepts recognised in each, n = 1 image per row", rows),),
        heats=tuple(heats),
    )
