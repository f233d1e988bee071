"""The concepts of a run in the report: what the model sees most, in which pictures, and where. No torch."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from core.applications.concepts_record import ConceptRecord, load
from core.applications.localisation import SHOWN_THRESHOLD, box_of
from core.concepts.relevance import TOP_SHARE, ConceptMap, top_count
from core.concepts.vocabulary import ENOUGH
from core.models.geometry import Preprocessing
from core.reporting.assets import Assets
from core.reporting.charts import ACCENT, MUTED, PALETTE, WIDTH, shorten, styled, to_svg
from core.reporting.content import Chart, Column, Fact, Heat, Section, Table
from core.reporting.heat import bar_ends, colour_bar, fit, overlay, value_range
from core.reporting.words import amount, measured, number, plural
from core.runs import Run
from core.statistics import interval_of_means

SHOWN_CONCEPTS = 15
SHOWN_GROUPS = 10
SHOWN_PICTURES = 3
SHOWN_REBUILT = 10
FEW_PICTURES = 20
PRINT_SIDE = 340
# Groups of fewer concepts are told by them; those of more say little.
LEAST_MEMBERS, MOST_SHARE = 4, 0.2


def concepts_sections(run: Run, assets: Assets) -> tuple[Section, ...]:
    """What the concept maps found in this run; nothing if they were not computed."""
    record = load(run.folder)
    if record is None:
        return ()
    parts = (
        _overview(record, assets),
        _groups(record),
        _pictures(run, record, assets),
        _rebuilt(record),
        _fit(record),
    )
    return tuple(part for part in parts if not part.empty)


def top_concepts(record: ConceptRecord, *, most: int = 100) -> pd.DataFrame:
    """The listed concepts by mean presence over the pictures, best first, at most `most`.

    Columns: name, title, gloss, value, low, high (95 % interval over images; NaN for fewer than four), n, chance.
    """
    means = record.own.mean(axis=0)
    order = record.graph.listed[np.argsort(-means[record.graph.listed], kind="stable")][:most]
    level = top_count(len(record.graph)) / len(record.graph)
    return _measured(record, order, record.own).assign(chance=level)


def top_groups(record: ConceptRecord, *, most: int = 100) -> pd.DataFrame:
    """The groups (concepts with others below them) whose mean presence is furthest above chance, best first.

    Columns as in `top_concepts`, and `members`. `value` is the presence minus the chance level of a group so large.
    """
    sizes = record.graph.sizes
    wanted = np.flatnonzero((sizes >= LEAST_MEMBERS) & (sizes <= MOST_SHARE * len(record.graph)))
    levels = np.array([record.chance(int(at)) for at in wanted])
    above = record.presence[:, wanted] - levels
    order = np.argsort(-above.mean(axis=0), kind="stable")[:most]
    values = np.zeros_like(record.presence)
    values[:, wanted] = above
    found = _measured(record, wanted[order], values)
    return found.assign(chance=levels[order], members=sizes[wanted[order]])


def concepts_chart(frame: pd.DataFrame) -> alt.LayerChart:
    """Mean presence of each concept of `top_concepts` with its interval; the dashed line is chance."""
    rows = frame.head(SHOWN_CONCEPTS).assign(
        label=lambda part: [f"{row.title} ({row.name})" for row in part.itertuples(index=False)]
    )
    y = alt.Y("label:N", sort=rows.label.tolist(), title=None, axis=alt.Axis(labelLimit=260))
    x = alt.X("value:Q", title="share of the picture where it is among the top 1 %", axis=alt.Axis(format="%"))
    base = alt.Chart(rows[["label", "gloss", "value", "low", "high", "n"]])
    tips = ["label", "gloss", alt.Tooltip("value", format=".1%"), "n"]
    points = base.mark_point(filled=True, size=60, color=PALETTE[1], opacity=1).encode(x=x, y=y, tooltip=tips)
    bars = base.mark_rule(strokeWidth=2, color=ACCENT).encode(x=alt.X("low:Q"), x2="high:Q", y=y)
    level = alt.Chart(rows[["chance"]].head(1)).mark_rule(color=MUTED, strokeDash=[3, 3]).encode(x="chance:Q")
    return styled(alt.layer(level, bars, points).properties(width=WIDTH - 260, height=alt.Step(20)))


def absolute(found: ConceptMap, cosine: float) -> str:
    """The absolute scores of a map in one line: an absent concept must not look certain."""
    return (
        (
            f"best score {number(found.best)} of 1; among the top 1 % in {found.presence:.0%} of the picture "
            f"(chance {found.chance:.0%}); cosine {number(cosine)}"
        )
        .replace("%", " %")
        .replace("  %", " %")
    )


def rebuilt_words(words: Any, weights: Any, most: int = 8) -> str:
    """The words that rebuild a picture in one line, heaviest first, with their weights."""
    told = [f"{word} {number(float(weight))}" for word, weight in zip(words, weights, strict=True)]
    more = f" and {len(told) - most} more" if len(told) > most else ""
    return (", ".join(told[:most]) or "no word") + more


def caution(record: ConceptRecord) -> str:
    """A sentence if there are too few concepts to rank against, else nothing."""
    if len(record.graph) >= ENOUGH:
        return ""
    return (
        f"Only {len(record.graph)} concepts were ranked: with fewer than {ENOUGH} something always ranks high, so "
        "these ranks say little."
    )


def _measured(record: ConceptRecord, order: Any, values: Any) -> pd.DataFrame:
    rows = []
    for at in order:
        found = interval_of_means(values[:, at].astype(float))
        concept = record.graph.concepts[int(at)]
        rows.append((concept.name, concept.title, concept.gloss, found.value, found.low, found.high, found.n))
    frame = pd.DataFrame(rows, columns=["name", "title", "gloss", "value", "low", "high", "n"])
    return frame.astype({"low": float, "high": float})


def _overview(record: ConceptRecord, assets: Assets) -> Section:
    about, n = record.about, len(record.pictures)
    found = top_concepts(record, most=SHOWN_CONCEPTS)
    facts = (
        Fact("Pictures", f"{n:,}"),
        Fact("Concepts", f"{about['concepts']:,}, of which {about['listed']:,} listed: {about['source']}"),
        Fact("Crops", f"{about['crops']} a picture ({about['preset']}), maps of {about['cells']} × {about['cells']}"),
        Fact("Scales and margin", f"{about['scale_weight']} over the two crop sizes; margin: {about['margin']}"),
        Fact(
            "Forwards",
            f"{about['image_forwards']:,.0f} of the image tower, {about['text_forwards']:,.0f} of the text tower",
        ),
        Fact("Vocabulary SHA-256", about["vocabulary_sha256"], code=True),
    )
    chart = concepts_chart(found)
    caption = (
        f"Mean share of a picture where a concept's own gloss is among the top {TOP_SHARE:.0%} of all concepts, with "
        f"95 % interval, n = {n} pictures. The dashed line is chance."
    ).replace("1%", "1 %")
    columns = (Column("Concept", share=24), Column("Gloss", share=44), Column("Presence", "number"))
    rows = tuple(
        (f"{row.title} ({row.name})", shorten(row.gloss, 90), measured(row.value, row.low, row.high, row.n, digits=3))
        for row in found.itertuples(index=False)
    )
    sentences = (
        "Each crop of a picture ranks all concepts by the cosine of their glosses with it. Concepts that are high in "
        "every picture are often glosses that attract everything; the pictures below show where a concept stands.",
        caution(record),
    )
    return Section(
        "Concepts: what the model sees most",
        facts=facts,
        sentences=tuple(sentence for sentence in sentences if sentence),
        charts=(Chart(assets.chart(to_svg(chart, "Concepts by mean presence")), "Concepts by mean presence", caption),),
        tables=(Table("Concepts by mean presence, 95 % interval over pictures", columns, rows),),
    )


def _groups(record: ConceptRecord) -> Section:
    found = top_groups(record, most=SHOWN_GROUPS)
    if found.empty:
        return Section("Concepts: groups above chance")
    columns = (
        Column("Group", share=34), Column("Concepts in it", "number", 14), Column("Chance", "number", 12),
        Column("Presence above chance", "number"),
    )  # fmt: skip
    rows = tuple(
        (
            f"{row.title} ({row.name})", f"{row.members:,}", number(row.chance, 3),
            measured(row.value, row.low, row.high, row.n, digits=3),
        )
        for row in found.itertuples(index=False)
    )  # fmt: skip
    rule = (
        "A group is present where anything below it is among the top 1 %; large groups are by chance, which is "
        f"subtracted. Groups of {LEAST_MEMBERS} concepts to {MOST_SHARE:.0%} of all are compared.".replace("%", " %")
    ).replace("1  %", "1 %")
    return Section(
        "Concepts: groups above chance",
        sentences=(rule,),
        tables=(Table("Groups furthest above chance, 95 % interval over pictures", columns, rows),),
    )


def _pictures(run: Run, record: ConceptRecord, assets: Assets) -> Section:
    known = {picture.id: picture for picture in run.dataset.pictures}
    given = run.manifest.get("model", {}).get("preprocessing")
    heats: list[Heat] = []
    shown = [row for row in record.pictures.itertuples() if row.image in known]
    # Evenly over the plan's order, so that no one chose them.
    for at in np.unique(np.linspace(0, len(shown) - 1, min(SHOWN_PICTURES, len(shown))).astype(int)):
        picture = known[shown[at].image]
        first = record.top[(record.top["image"] == picture.id) & (record.top["rank"] == 1)]
        small = fit(run.dataset.open(picture), PRINT_SIDE)
        concept = record.graph.position(str(first["concept"].iloc[0]))
        found = record.map(concept, record.picture(picture.id))
        preprocessing = Preprocessing.from_dict(given) if given else Preprocessing(224, 224, mode="squash")
        geometry = preprocessing.geometry(picture.width, picture.height)
        reach = value_range(found.values)
        low, high = bar_ends(reach)
        title = record.graph.concepts[concept].title
        cosine = float(record.cosine(concept)[record.picture(picture.id)])
        box = box_of(found.values, geometry, SHOWN_THRESHOLD)
        placed = "" if box is None else f"; box at {SHOWN_THRESHOLD:g}: {', '.join(f'{edge:.0f}' for edge in box)} px"
        heats.append(Heat(assets.photo(small), f"The picture {picture.name}", shorten(picture.name, 28)))
        heats.append(
            Heat(
                assets.photo(overlay(small, found.values, geometry)),
                f"Concept map of {title} on {picture.name}; mean rank score {amount(low)} to {amount(high)}",
                f"ConVis: {title}",
                f"{absolute(found, cosine)}; raw {amount(low)} to {amount(high)}{placed}",
                assets.drawing(colour_bar()),
                amount(low),
                amount(high),
            )
        )
    if not heats:
        return Section("Concepts: the most present one in each picture")
    rule = (
        f"{plural(len(heats) // 2, 'picture')} spread evenly over the plan's order, each with its most present "
        "concept. A map is stretched for the eye; the values below it are not."
    )
    return Section("Concepts: the most present one in each picture", sentences=(rule,), heats=tuple(heats))


def _rebuilt(record: ConceptRecord) -> Section:
    title, frame = "Concepts: words that rebuild each picture\u2019s embedding", record.rebuilt
    if frame.empty:
        return Section(title)
    found = interval_of_means(frame["cosine"].to_numpy(float) ** 2)
    shown = frame.iloc[np.unique(np.linspace(0, len(frame) - 1, SHOWN_REBUILT).round().astype(int))]
    columns = (Column("Picture", share=22), Column("Words and weights", share=54), Column("Left over", "number"))
    rows = tuple(
        (row.image_name, rebuilt_words(row.words, row.weights), share(row.cosine)) for row in shown.itertuples()
    )
    sentences = (
        "Each embedding, without what all pictures share, is written as few names of the vocabulary with positive "
        f"weights (SpLiCE, penalty {record.about['penalty']:g}). The words explain "
        f"{measured(found.value, found.low, found.high, found.n, digits=3)} of its squared length on the mean; "
        "the rest is in no word. They are a shorthand for where a picture stands among the others, not the reason for "
        "a score.",
        f"What all pictures show goes with their mean: with fewer than {FEW_PICTURES} that may be what they are of."
        if len(frame) < FEW_PICTURES
        else "",
    )
    about = f"{plural(len(rows), 'picture')} of {len(frame)}, spread evenly over the plan\u2019s order"
    return Section(title, sentences=sentences, tables=(Table(about, columns, rows),))


def share(cosine: float) -> str:
    """The share of an embedding's squared length that words with this cosine leave over."""
    return f"{1 - cosine**2:.0%}".replace("%", " %")


def _fit(record: ConceptRecord) -> Section:
    synset, fits = record.about["in_distribution"], record.pictures["fit"].dropna()
    if not synset or fits.empty:
        return Section("Fit with what was declared")
    found = interval_of_means(fits.to_numpy(float))
    lowest = record.pictures.dropna(subset="fit").sort_values("fit", kind="stable").head(SHOWN_GROUPS)
    rows = tuple((row.image_name, number(row.fit)) for row in lowest.itertuples())
    sentence = (
        f"All pictures were declared to show {synset}. A picture's fit is its highest cosine with any kind of it; the "
        f"mean is {measured(found.value, found.low, found.high, found.n, digits=3)}. Without pictures known to be "
        "outside, no value says that one is: look at the lowest."
    )
    columns = (Column("Picture", share=70), Column("Fit", "number"))
    return Section(
        "Fit with what was declared",
        sentences=(sentence,),
        tables=(Table("The pictures that fit least", columns, rows),),
    )
