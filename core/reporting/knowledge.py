"""Mutual knowledge in the report. No torch."""

from __future__ import annotations

import numpy as np

from core.applications.knowledge_record import CONTROLS, MEASURES, KnowledgeRecord, of_run, shared_descriptors
from core.reporting.assets import Assets
from core.reporting.charts import shorten, to_svg
from core.reporting.content import Chart, Column, Fact, Heat, Section, Table
from core.reporting.knowledge_tables import (
    DECISIONS,
    TITLES,
    advantage,
    assignment,
    edit_chart,
    estimate,
    part_picture,
    removal_chart,
    seeds_told,
    written,
)
from core.reporting.words import share
from core.runs import Run
from core.statistics import interval_of_means

SHOWN = 3
MOST_CLASSES = 30


def knowledge_sections(run: Run, assets: Assets) -> tuple[Section, ...]:
    """What mutual knowledge found in this run; nothing if it was not computed."""
    record = of_run(run)
    if record is None:
        return ()
    return (
        _overview(record, assets),
        _classes(record),
        _edits(record, assets),
        _pictures(run, record, assets),
    )


def _overview(record: KnowledgeRecord, assets: Assets) -> Section:
    about, images = record.about, record.images
    bank, n = about["bank"], len(images)
    sources = ", ".join(f"{count:,} {source}" for source, count in bank["sources"].items())
    unknown = f"; not in WordNet: {', '.join(bank['unknown'][:8])}" if bank["unknown"] else ""
    facts = [
        Fact("Pictures", f"{n:,}; each grouped by {assignment(record)}"),
        Fact("Descriptors", f"{bank['size']:,} ({sources}){unknown}{'; ' + bank['note'] if bank['note'] else ''}"),
        Fact("Left out", f"{len(bank['dropped']):,} phrases that mention a class or a synonym"),
        Fact("Expected by chance", f"{images['expected_shared'].mean():.2f} shared concepts a picture"),
        Fact("Without a foreground", share(int(record.pictures.groupby("image")["whole"].any().sum()), n)),
        Fact(
            "No descriptor common to all parts", share(int(record.pictures.groupby("image")["fallback"].any().sum()), n)
        ),
    ]
    told = seeds_told(record)
    if told:
        facts.append(Fact("Random in k-means", told))
    columns = (
        Column("Measure", share=28),
        Column("Own class", "number", 26),
        Column("Other classes", "number", 16),
        Column("Paired difference", "number", 30),
    )
    rows = []
    for name in ("score", "auc", "shared", "jaccard", "overlap"):
        other = f"{images[CONTROLS[name]].mean():.2f}" if name in CONTROLS else "not measured"
        ahead = written(advantage(record, name)) if name in CONTROLS else "not measured"
        rows.append((TITLES[name], written(estimate(record, name)), other, ahead))
    chart = assets.chart(to_svg(removal_chart({"this model": record}), "Mean score while concepts are removed"))
    caption = f"Mean score after each removed concept, n = {n} pictures; intervals of the areas are in the table."
    return Section(
        "Mutual knowledge",
        facts=tuple(facts),
        sentences=(
            "Parts of each picture are named by descriptors that mention no class (visual concepts), and the class the "
            "model chooses by the descriptors nearest to its text (class concepts). What both name is shared.",
            "The score is log(N \u00b7 M \u00b7 K) for N visual, M class and K shared concepts, 0 without any. It "
            "rises with the overlap, which textbook mutual information would not, and it is no probability. "
            "Overlap with other classes is the control: only what exceeds it says something about this class.",
        ),
        charts=(Chart(chart, "Mean mutual-knowledge score while concepts are removed", caption),),
        tables=(Table("Overlap of visual and class concepts with 95 % interval", columns, tuple(rows)),),
    )


def _classes(record: KnowledgeRecord) -> Section:
    named = shared_descriptors(record)
    rows = []
    for name, part in record.images.groupby("predicted", sort=True):
        score = interval_of_means(part["score"].to_numpy(float))
        words = [f"{row.descriptor} ({row.pictures})" for row in named[named["class"] == name].itertuples()]
        rows.append((len(part), str(name), written(score), "; ".join(words) or "none"))
    rows.sort(key=lambda row: (-row[0], row[1]))
    more = f"{len(rows) - MOST_CLASSES} more classes are in the run." if len(rows) > MOST_CLASSES else ""
    columns = (Column("Class chosen", share=18), Column("Score", "number", 26), Column("Most often shared (pictures)"))
    shown = tuple((name, score, words) for _, name, score, words in rows[:MOST_CLASSES])
    return Section(
        "Concepts that picture and class share",
        tables=(Table("Per class that the model chose, the most frequent first", columns, shown, more),),
    )


def _edits(record: KnowledgeRecord, assets: Assets) -> Section:
    n = len(record.images)
    columns = (
        Column("Measure", share=34),
        Column("Visual concepts", "number", 30),
        Column("Minus random descriptors", "number", 36),
    )
    rows = [
        (
            f"{TITLES[name]}, {MEASURES[name]} is better",
            written(estimate(record, name)),
            written(advantage(record, name)),
        )
        for name in ("deletion", "insertion")
    ]
    decisions = [name for name in DECISIONS if record.labelled or not name.startswith("correct")]
    decided = tuple((DECISIONS[name], written(estimate(record, name))) for name in decisions)
    chart = assets.chart(to_svg(edit_chart(record), "Mean probability while concepts are deleted or inserted"))
    caption = f"Mean probability of the chosen class, n = {n} pictures; intervals of the areas are in the table."
    return Section(
        "Deleting and inserting concepts",
        sentences=(
            "The part of a picture's embedding that its visual concepts span is taken out (deletion) or kept alone "
            "(insertion), the most relevant concept first. Random descriptors, as many, are the control: concepts that "
            "do no better than they explain nothing of the decision.",
        ),
        charts=(Chart(chart, "Probability of the class while concepts are deleted or inserted", caption),),
        tables=(
            Table("Area under the curves with 95 % interval", columns, tuple(rows)),
            Table("Decisions", (Column("Share of pictures", share=50), Column("Value", "number", 50)), decided),
        ),
    )


def _pictures(run: Run, record: KnowledgeRecord, assets: Assets) -> Section:
    images = record.images.sort_values(["auc", "image_name"], kind="stable")
    places = np.unique(np.linspace(0, len(images) - 1, SHOWN).round().astype(int))
    known = {picture.id: picture for picture in run.dataset.pictures}
    heats, told = [], []
    for image in images["image"].iloc[places[::-1]]:
        for row in record.pictures[record.pictures["image"] == image].itertuples():
            picture = known[image]
            made = part_picture(run, picture, row, run.dataset.open(picture))
            concepts = record.concepts[
                (record.concepts["image"] == image) & (record.concepts["variant"] == row.variant)
            ]
            hits = concepts[concepts["class_rank"] >= 0]["descriptor"].tolist()
            first = concepts.sort_values("rank")["descriptor"].head(4).tolist()
            name = shorten(picture.name, 40)
            alt_text = f"Parts of {picture.name} in colours over the picture"
            heats.append(Heat(assets.photo(made), alt_text, name, row.variant))
            seen = (", ".join(first), ", ".join(hits) or "nothing")
            told.append((name, row.variant, row.predicted, f"{row.auc:.2f}", *seen))
    columns = (
        Column("Picture", share=13),
        Column("Parts by", share=10),
        Column("Class", share=11),
        Column("Area", "number", share=7),
        Column("Sees first", share=33),
        Column("Shares with its class"),
    )
    return Section(
        "Parts and what they are called",
        sentences=(
            "The pictures with the highest, middle and lowest area under the removal curve, by each way of finding "
            "parts. Colours mark parts of one group of pictures; grey is background.",
        ),
        tables=(Table("What is seen in each, n = 1 picture a row", columns, tuple(told)),),
        heats=tuple(heats),
    )
