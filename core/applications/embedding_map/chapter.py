"""The embedding map in the report: a small figure, and how far it can be trusted. No torch."""

from __future__ import annotations

import numpy as np
import pandas as pd

from core.applications.embedding_map.record import RANDOM, LayoutRecord, LayoutRow
from core.applications.embedding_map.tables import FAITHFULNESS
from core.applications.sampling import images_of
from core.content.altair import alt
from core.content.charts import ACCENT, MUTED, PALETTE, WIDTH, styled, to_svg
from core.content.context import ReportContext
from core.content.groups import MOST_COLOURS, OTHERS, best_classes, frequent
from core.content.parts import Chart, Fact, Section
from core.content.words import measured, number, plural, shorten
from core.languages import localised, say
from core.runs.rows import typed

TITLE = "Embedding map"
# More points would make one dark area, and a large file.
MOST_POINTS = 1500
SIDE = 300
HOW = (  # messages
    "Each point is an image. Images that are nearest neighbours by the model's embedding should be near each other. "
    "What can be read is which images lie together; the distance between groups, their size and the space between "
    "them have no meaning.",
    "The principal components alone and the same positions in random order stand beside the layout. A layout "
    "that preserves no more neighbours than random positions shows nothing of the embeddings.",
)


def sections(context: ReportContext) -> tuple[Section, ...]:
    """What the application `embedding_map` computed in this run; nothing if it was not computed."""
    record = context.judged.record(LayoutRecord.of_run)
    if record is None:
        return ()
    best = best_classes(context.summary.scores)
    seed = context.run.plan.seed
    shown = len(record.points) if len(record.points) <= MOST_POINTS else MOST_POINTS
    images = plural(shown, "image")
    alt_text = say("Layout of {images} in two dimensions by the model's embeddings", images=images)
    parts = [say("Layout of the images by the model's embeddings ({method}).", method=say(record.about["method"]))]
    if shown < len(record.points):
        parts.append(say("{shown:,} of {whole:,} images, drawn at random.", shown=shown, whole=len(record.points)))
    if best:
        parts.append(say("Colours and shapes are the class with the highest score."))
        classes = {best[image] for image in record.points["image"] if image in best}
        if rarer := len(classes) - len(frequent(classes)):
            named = len(classes) - rarer
            parts.append(
                say(
                    "The {named} most frequent have a mark of their own; {rarer} others share one.",
                    named=named,
                    rarer=rarer,
                )
            )
    caption = " ".join(parts)
    chart = context.assets.chart(to_svg(layout_chart(record.points, best, seed), alt_text))
    return (
        Section(
            TITLE,
            facts=facts(record),
            sentences=tuple(map(say, HOW)),
            charts=(Chart(chart, alt_text, caption, "62%"),),
            tables=(FAITHFULNESS.table(say("Faithfulness of the layout, means over images"), record.layouts),),
            results=(faithfulness_sentence(record),),
        ),
    )


def facts(record: LayoutRecord) -> tuple[Fact, ...]:
    """How the layout was made."""
    about = record.about
    found = [Fact("Images", images_of(about)), Fact("Layout", say(about["method"]))]
    if about["perplexity"] is not None:
        found.append(Fact("Perplexity", localised(f"{about['perplexity']:g}")))
    found.append(Fact("Forward passes of the image tower", localised(f"{about['image_forwards']:g}")))
    return tuple(found)


def faithfulness_sentence(record: LayoutRecord) -> str:
    """How many neighbours the layout preserves, and how many random positions would, in a sentence or two."""
    about = record.about
    rows = {row.layout: row for row in typed(record.layouts, LayoutRow) if row.measure == "preserved"}
    own = rows.get(about["method"])
    if own is None:
        return say("With fewer than three images there are no neighbours to compare.")
    count = int(about["neighbours"])
    lead = (
        say("Share of images whose nearest image in the layout is also the nearest by embedding")
        if count == 1
        else say(
            "Of each image's {count} nearest images in the layout, the share that is also among its {count} nearest "
            "by embedding",
            count=count,
        )
    )
    share = measured(own.value, own.low, own.high, int(own.n))
    others = [row for name, row in rows.items() if name != about["method"]]
    beside = "; ".join(f"{_told(row)}: {measured(row.value, row.low, row.high, int(row.n))}" for row in others)
    chance = number(count / (int(about["images"]) - 1), 2)
    return say(
        "{lead}: {share}. For comparison, {beside}. For random positions, {chance} is expected.",
        lead=lead,
        share=share,
        beside=beside,
        chance=chance,
    )


def _told(row: LayoutRow) -> str:
    """The name of a layout; random positions are a single draw."""
    return say("random positions (one draw)") if row.layout == RANDOM else say(row.layout)


def layout_chart(points: pd.DataFrame, best: dict[str, str], seed: int) -> alt.Chart:
    """The points of a layout, coloured and shaped by the most frequent of the best classes."""
    if len(points) > MOST_POINTS:
        drawn = np.sort(np.random.default_rng(seed).choice(len(points), MOST_POINTS, replace=False))
        points = points.iloc[drawn]
    names = frequent(best[image] for image in points["image"] if image in best)
    labels, rest = {name: shorten(name, 28) for name in names}, say(OTHERS)
    frame = points[["x", "y"]].assign(group=[labels.get(best.get(image, ""), rest) for image in points["image"]])
    base = alt.Chart(frame).mark_point(filled=True, size=26, opacity=1, fillOpacity=0.85)
    bounds = alt.Scale(domain=[-1.05, 1.05], nice=False)
    base = base.encode(x=alt.X("x:Q", axis=None, scale=bounds), y=alt.Y("y:Q", axis=None, scale=bounds))
    if not names:
        return styled(base.encode(color=alt.value(ACCENT)).properties(width=SIDE, height=SIDE))
    shown = [*dict.fromkeys(labels.values()), *([rest] if (frame["group"] == rest).any() else [])]
    tones = [MUTED if name == rest else PALETTE[at % MOST_COLOURS] for at, name in enumerate(shown)]
    legend = alt.Legend(title=None, orient="right", labelLimit=WIDTH - SIDE - 60)
    return styled(
        base.encode(
            color=alt.Color("group:N", scale=alt.Scale(domain=shown, range=tones), legend=legend),
            shape=alt.Shape("group:N", scale=alt.Scale(domain=shown, range=shapes(len(shown))), legend=legend),
        ).properties(width=SIDE, height=SIDE)
    )


def shapes(count: int) -> list[str]:
    """A shape for each of so many groups."""
    known = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right", "triangle-left")
    return [known[at % len(known)] for at in range(count)]
