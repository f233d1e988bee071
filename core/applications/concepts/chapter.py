"""The concepts of a run in the report: what the model sees most, in which images, and where. No torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from core.applications.concepts.boxes import SHOWN_THRESHOLD, box_of
from core.applications.concepts.facts import facts
from core.applications.concepts.record import ConceptRecord, ImageRow, of_run
from core.applications.concepts.tables import CONCEPTS, FITS, GROUPS, REBUILT
from core.applications.phrases import raw_range
from core.concepts.relevance import TOP_SHARE, ConceptMap, top_count
from core.concepts.vocabulary import ENOUGH
from core.content.altair import alt
from core.content.assets import Assets
from core.content.charts import ACCENT, MUTED, PALETTE, WIDTH, roomy, styled, to_svg
from core.content.context import ReportContext
from core.content.heat import bar_ends, colour_bar, fit, overlay, value_range
from core.content.parts import Chart, Heat, Section
from core.content.promises import draws_interval, promised
from core.content.words import amount, measured, number, plural, shorten
from core.languages import say, typeset
from core.models.geometry import Preprocessing
from core.runs import Run
from core.runs.rows import typed
from core.statistics import interval_of_means
from core.statistics.intervals import CORRELATION, SHARE

SHOWN_CONCEPTS = 15
SHOWN_GROUPS = 10
SHOWN_IMAGES = 3
SHOWN_REBUILT = 10
FEW_IMAGES = 20
PRINT_SIDE = 340
REBUILDING = "Concepts: words that reconstruct the embedding of each image"  # messages
# Groups of fewer concepts are told by them; those of more say little.
LEAST_MEMBERS, MOST_SHARE = 4, 0.2


def sections(context: ReportContext) -> tuple[Section, ...]:
    """What the concept maps found in this run; nothing if they were not computed."""
    run, assets = context.run, context.assets
    record = context.judged.record(of_run)
    if record is None:
        return ()
    parts = (
        _overview(record, assets),
        _groups(record),
        _images(run, record, assets),
        _rebuilt(record),
        _fit(record),
    )
    return tuple(part for part in parts if not part.empty)


def top_concepts(record: ConceptRecord, *, most: int = 100) -> pd.DataFrame:
    """The listed concepts by mean presence over the images, best first, at most `most`.

    Columns: name, title, gloss, value, low, high (95 % interval over images; NaN for fewer than `FEWEST`), n, chance.
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
    title = say("share of the image where it is among the top 1 %")
    scale = roomy(rows["high"], rows["value"], rows["chance"])
    x = alt.X("value:Q", title=title, axis=alt.Axis(format="%"), scale=scale)
    base = alt.Chart(rows[["label", "gloss", "value", "low", "high", "n"]])
    tips = ["label", "gloss", alt.Tooltip("value", format=".1%"), "n"]
    points = base.mark_point(filled=True, size=60, color=PALETTE[1], opacity=1).encode(x=x, y=y, tooltip=tips)
    bars = base.mark_rule(strokeWidth=2, color=ACCENT).encode(x=alt.X("low:Q"), x2="high:Q", y=y)
    level = alt.Chart(rows[["chance"]].head(1)).mark_rule(color=MUTED, strokeDash=[3, 3]).encode(x="chance:Q")
    return styled(alt.layer(level, bars, points).properties(width=WIDTH - 260, height=alt.Step(20)))


def absolute(found: ConceptMap, cosine: float) -> str:
    """The absolute scores of a map in one line: an absent concept must not look certain."""
    return typeset(
        say(
            "highest score {best} of 1; among the top 1 % in {presence:.0%} of the image (chance {chance:.0%}); "
            "cosine {cosine}",
            best=number(found.best),
            presence=found.presence,
            chance=found.chance,
            cosine=number(cosine),
        )
    )


def caution(record: ConceptRecord) -> str:
    """A sentence if there are too few concepts to rank against, else nothing."""
    if len(record.graph) >= ENOUGH:
        return ""
    return say(
        "Only {count} concepts were ranked: with fewer than {enough} something always ranks high, so these ranks carry "
        "little information.",
        count=len(record.graph),
        enough=ENOUGH,
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
    n = len(record.images)
    found = top_concepts(record, most=SHOWN_CONCEPTS)
    caption = typeset(
        say(
            "Mean share of an image where the gloss of a concept is among the top {share:.0%} of all concepts, with "
            "95 % interval, n = {n} images. The dashed line is the chance level.",
            share=TOP_SHARE,
            n=n,
        )
    )
    title = say("Concepts by mean presence")
    carries = Chart(
        assets.chart(to_svg(concepts_chart(found), title)), title, promised(caption, draws_interval(found)),
        place="body",
    )  # fmt: skip
    first = next(found.itertuples())
    present = measured(first.value, first.low, first.high, first.n)
    result = say(
        "The concept most present is {title} ({name}), with a mean share of an image of {present}; {chance} is "
        "expected at random.",
        title=first.title,
        name=first.name,
        present=present,
        chance=number(first.chance, 2),
    )
    sentences = (
        say(
            "Each crop of an image ranks all concepts by the cosine of their glosses with it. Concepts that are high "
            "in every image often have glosses that are similar to everything (hub definitions); the images below "
            "show where a concept was found."
        ),
        caution(record),
    )
    return Section(
        "Concepts: most present in the images",
        facts=facts(record),
        sentences=tuple(sentence for sentence in sentences if sentence),
        results=(result,),
        charts=(carries,),
        tables=(CONCEPTS.table(say("Concepts by mean presence, 95 % interval over images"), found),),
    )


def _groups(record: ConceptRecord) -> Section:
    found = top_groups(record, most=SHOWN_GROUPS)
    if found.empty:
        return Section("Concepts: groups above chance")
    rule = typeset(
        say(
            "A group is present where any of its hyponyms is among the top 1 %; large groups often are at random, and "
            "this chance level is subtracted. Groups of {least} concepts up to {most:.0%} of all are compared.",
            least=LEAST_MEMBERS,
            most=MOST_SHARE,
        )
    )
    return Section(
        "Concepts: groups above chance",
        sentences=(rule,),
        tables=(GROUPS.table(say("Groups furthest above the chance level, 95 % interval over images"), found),),
    )


def _images(run: Run, record: ConceptRecord, assets: Assets) -> Section:
    known = {image.id: image for image in run.dataset.images}
    given = run.manifest.get("model", {}).get("preprocessing")
    heats: list[Heat] = []
    shown = [row for row in typed(record.images, ImageRow) if row.image in known]
    # Evenly over the plan's order, so that no one chose them.
    for at in np.unique(np.linspace(0, len(shown) - 1, min(SHOWN_IMAGES, len(shown))).astype(int)):
        image = known[shown[at].image]
        first = record.top[(record.top["image"] == image.id) & (record.top["rank"] == 1)]
        small = fit(run.dataset.open(image), PRINT_SIDE)
        concept = record.graph.position(str(first["concept"].iloc[0]))
        found = record.map(concept, record.image(image.id))
        preprocessing = Preprocessing.from_dict(given) if given else Preprocessing(224, 224, mode="squash")
        geometry = preprocessing.geometry(image.width, image.height)
        reach = value_range(found.values)
        low, high = bar_ends(reach)
        title = record.graph.concepts[concept].title
        cosine = float(record.cosine(concept)[record.image(image.id)])
        box = box_of(found.values, geometry, SHOWN_THRESHOLD)
        told = [absolute(found, cosine), raw_range(low, high)]
        if box is not None:
            edges = ", ".join(f"{edge:.0f}" for edge in box)
            told.append(say("bounding box at {threshold:g}: {edges} px", threshold=SHOWN_THRESHOLD, edges=edges))
        heats.append(Heat(assets.photo(small), say("The image {name}", name=image.name), shorten(image.name, 28)))
        heats.append(
            Heat(
                assets.photo(overlay(small, found.values, geometry)),
                say(
                    "Concept map of {title} on {name}; mean rank score {low} to {high}",
                    title=title,
                    name=image.name,
                    low=amount(low),
                    high=amount(high),
                ),
                f"ConVis: {title}",
                "; ".join(told),
                assets.drawing(colour_bar()),
                amount(low),
                amount(high),
            )
        )
    if not heats:
        return Section("Concepts: the most present one in each image")
    rule = say(
        "{images} spread evenly over the order of the plan, each with its most present concept. A map is rescaled for "
        "display; the values below it are not.",
        images=plural(len(heats) // 2, "image"),
    )
    return Section("Concepts: the most present one in each image", sentences=(rule,), heats=tuple(heats))


def _rebuilt(record: ConceptRecord) -> Section:
    frame = record.rebuilt
    if frame.empty:
        return Section(REBUILDING)
    found = interval_of_means(frame["cosine"].to_numpy(float) ** 2, within=SHARE)
    shown = frame.iloc[np.unique(np.linspace(0, len(frame) - 1, SHOWN_REBUILT).round().astype(int))]
    sentences = (
        say(
            "Each embedding, without the mean of all images, is written as few names of the vocabulary with positive "
            "weights (SpLiCE, penalty {penalty:g}). On average the words explain {share} of its squared length; the "
            "remainder is not explained by words. They summarise how an image differs from the others, and are not "
            "the reason for a score.",
            penalty=record.about["penalty"],
            share=measured(found.value, found.low, found.high, found.n, digits=3),
        ),
        say(
            "What all images show is removed with their mean: with fewer than {few} images this may include their "
            "content.",
            few=FEW_IMAGES,
        )
        if len(frame) < FEW_IMAGES
        else "",
    )
    about = say(
        "{images} of {whole}, spread evenly over the order of the plan",
        images=plural(len(shown), "image"),
        whole=len(frame),
    )
    return Section(REBUILDING, sentences=sentences, tables=(REBUILT.table(about, shown),))


def _fit(record: ConceptRecord) -> Section:
    synset, fits = record.about["in_distribution"], record.images["fit"].dropna()
    if not synset or fits.empty:
        return Section("Similarity to the declared concept")
    found = interval_of_means(fits.to_numpy(float), within=CORRELATION)
    lowest = record.images.dropna(subset="fit").sort_values("fit", kind="stable").head(SHOWN_GROUPS)
    sentence = say(
        "All images were declared to show {synset}. The score of an image is its highest cosine with any kind of it; "
        "the mean is {mean}. Without images known to be outside, no threshold separates them: examine the lowest.",
        synset=synset,
        mean=measured(found.value, found.low, found.high, found.n, digits=3),
    )
    return Section(
        "Similarity to the declared concept",
        sentences=(sentence,),
        tables=(FITS.table(say("The images with the lowest scores"), lowest),),
    )
