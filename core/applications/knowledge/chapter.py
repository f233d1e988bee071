"""Mutual knowledge in the report. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from core.applications.knowledge.measures import (
    VARIANTS,
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
from core.languages import say
from core.runs import Run
from core.runs.rows import typed

SHOWN = 3
MOST_CLASSES = 30
MODEL = "this model"  # messages
# How many descriptors come from each source.
SOURCES = {  # messages
    "attribute": "{count:,} attribute",
    "part": "{count:,} part",
    "gloss": "{count:,} gloss",
    "colour and part": "{count:,} colour and part",
    "own": "{count:,} own",
}
NEAREST = (  # messages
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
    facts = [
        Fact("Images", say("{count:,}; each grouped by {groups}", count=n, groups=assignment(record))),
        Fact("Descriptors", _bank(bank)),
        Fact(
            "Removed phrases",
            say("{count:,} phrases that mention a class or a synonym", count=len(bank["dropped"])),
        ),
        Fact(
            "Expected at random",
            say("{mean:.2f} shared concepts per image", mean=float(images["expected_shared"].mean())),
        ),
        Fact("Without a foreground", share(int(record.partitions.groupby("image")["whole"].any().sum()), n)),
        Fact(
            "No descriptor common to all parts",
            share(int(record.partitions.groupby("image")["fallback"].any().sum()), n),
        ),
    ]
    told = {  # messages: keys
        "K-means variability": seeds_told(record),
        "Variability of component signs": signs_told(record),
    }
    facts += [Fact(name, value) for name, value in told.items() if value]
    chart = assets.chart(to_svg(removal_chart({say(MODEL): record}), say("Mean score while concepts are removed")))
    (jaccard,) = measure_rows({MODEL: record}, ("jaccard",))
    result = say("Jaccard index of the visual and class concepts of an image: {jaccard}", jaccard=written(jaccard.own))
    if jaccard.ahead is not None:
        ahead = written(jaccard.ahead)
        result = say("{jaccard}; above that with other classes by {difference}", jaccard=result, difference=ahead)
    caption = say(
        "Mean score after each removed concept, n = {n} images; intervals of the areas are in the table.", n=n
    )
    return Section(
        "Mutual knowledge",
        facts=tuple(facts),
        sentences=(
            say(
                "Parts of each image are named by descriptors that mention no class (visual concepts), and the "
                "predicted class by the descriptors nearest to its text (class concepts). Descriptors in both sets "
                "are shared."
            ),
            say(
                "The score is log(N · M · K) for N visual, M class and K shared concepts, 0 without any. It rises "
                "with the overlap, which textbook mutual information would not, and it is not a probability. Overlap "
                "with other classes is the control: only the excess over it is specific to this class."
            ),
            say(NEAREST),
        ),
        results=tuple(filter(None, (f"{result}.", decision_told(record), signs_result(record)))),
        charts=(Chart(chart, say("Mean mutual-knowledge score while concepts are removed"), caption),),
        tables=(
            OVERLAP.table(
                say("Overlap of visual and class concepts with 95 % interval"),
                measure_rows({MODEL: record}, OVERLAP_MEASURES),
                place="body",
            ),
        ),
    )


def _bank(bank: Mapping[str, Any]) -> str:
    """How many descriptors there are, where they come from, and what was missing when they were collected."""
    each = [say(SOURCES[source], count=count) for source, count in bank["sources"].items()]
    parts = [say("{size:,} ({sources})", size=bank["size"], sources=", ".join(each))]
    if bank["unknown"]:
        parts.append(say("not in WordNet: {words}", words=", ".join(bank["unknown"][:8])))
    return "; ".join([*parts, *([bank["note"]] if bank["note"] else [])])


def _classes(record: KnowledgeRecord) -> Section:
    rows = class_rows(record)
    rest = len(rows) - MOST_CLASSES
    more = say("{count} more classes are in the run.", count=rest) if rest > 0 else ""
    return Section(
        "Concepts that image and class share",
        tables=(CLASSES.table(say("Per predicted class, the most frequent first"), rows[:MOST_CLASSES], more),),
    )


def _edits(record: KnowledgeRecord, assets: Assets) -> Section:
    n = len(record.images)
    chart = assets.chart(to_svg(edit_chart(record), say("Mean probability while concepts are deleted or inserted")))
    caption = say(
        "Mean probability of the predicted class, n = {n} images; intervals of the areas are in the table.", n=n
    )
    return Section(
        "Deleting and inserting concepts",
        sentences=(
            say(
                "The part of an image's embedding that its visual concepts span is removed (deletion) or kept alone "
                "(insertion), the most relevant concept first. The same number of random descriptors is the control: "
                "concepts that do no better do not explain the decision."
            ),
        ),
        charts=(Chart(chart, say("Probability of the class while concepts are deleted or inserted"), caption),),
        tables=(
            EDITS.table(say("Area under the curves with 95 % interval"), measure_rows({MODEL: record}, EDIT_MEASURES)),
            SHARES.table(say("Decisions, with 95 % interval"), decision_rows({MODEL: record})),
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
            alt_text = say("Parts of {name} in colours over the image", name=entry.name)
            heats.append(Heat(assets.photo(made), alt_text, name, say(VARIANTS.get(row.variant, row.variant))))
            rows.append(PartRow(name, row.variant, row.predicted, row.auc, tuple(first), tuple(shared)))
    return Section(
        "Parts and their names",
        sentences=(
            say(
                "The images with the highest, middle and lowest area under the removal curve, for each partition. "
                "Colours mark parts of one group of images; grey is background."
            ),
        ),
        tables=(PARTS.table(say("Concepts recognised in each, n = 1 image per row"), rows),),
        heats=tuple(heats),
    )
