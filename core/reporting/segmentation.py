"""Open-vocabulary segmentation in the report: areas, overlap, recognition, points, the empty text, caption tokens."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from PIL import Image

from core.applications.multilabel import RECIPES
from core.applications.points import draw_points
from core.applications.segmentation_record import (
    SegmentationRecord,
    area_table,
    empty_table,
    of_run,
    overlap_table,
    precision_table,
)
from core.models.geometry import Preprocessing
from core.reporting.assets import Assets
from core.reporting.charts import FONT, method_title, shorten, to_svg
from core.reporting.content import Chart, Column, Fact, Heat, Section, Table
from core.reporting.heat import bar_ends, colour_bar, fit, overlay, value_range
from core.reporting.words import amount, measured, number
from core.runs import Run
from core.statistics import Interval

PRINT_SIDE = 340
SHOWN = 6
MOST_LABELS = 25
MAPS = {"clip_surgery": "CLIP Surgery", "raw": "Raw similarity", "whole": "One label everywhere (control)"}
BACKGROUND = "(background)"


def segmentation_sections(run: Run, assets: Assets) -> tuple[Section, ...]:
    """What open-vocabulary segmentation found in this run; nothing if it was not computed."""
    record = of_run(run)
    if record is None:
        return ()
    parts = (
        _areas(run, record, assets),
        _overlap(record),
        _recognition(record),
        _points(run, record, assets),
        _empty(run, record, assets),
        _captions(run, record, assets),
    )
    return tuple(part for part in parts if not part.empty)


def area_chart(record: SegmentationRecord, table: pd.DataFrame) -> alt.LayerChart:
    """Each label's mean share of the pictures with its interval, in the colour that it has in the pictures."""
    shown = table.head(MOST_LABELS).assign(title=[shorten(label or BACKGROUND, 40) for label in table.label[:25]])
    tones = ["#{:02x}{:02x}{:02x}".format(*record.colours[label]) for label in shown.label]
    y = alt.Y("title:N", sort=shown.title.tolist(), title=None, axis=alt.Axis(labelLimit=200))
    scale = alt.Scale(domain=shown.title.tolist(), range=tones)
    base = alt.Chart(shown[["title", "value", "low", "high", "n"]])
    x = alt.X("value:Q", title="mean share of the seen picture", axis=alt.Axis(format="%"))
    bars = base.mark_bar(height=12).encode(
        x=x, y=y, color=alt.Color("title:N", scale=scale, legend=None), tooltip=["title", "value", "low", "high", "n"]
    )
    reach = base.mark_rule(strokeWidth=1.4, color="#16202c").encode(x="low:Q", x2="high:Q", y=y)
    chart = alt.layer(bars, reach).properties(width=380, height=alt.Step(18))
    return chart.configure(font=FONT, background="white", view={"stroke": None})


def estimate_text(found: Interval | Any, digits: int = 3) -> str:
    """A value with interval and n, as the report writes it."""
    return measured(found.value, found.low, found.high, int(found.n), digits=digits)


def why_words(record: SegmentationRecord) -> str:
    """Which maps were used and why, in one sentence."""
    title = MAPS[record.about["method"]]
    return f"The maps are {title}'s: {record.about['why']}."


def _areas(run: Run, record: SegmentationRecord, assets: Assets) -> Section:
    about, options = record.about, record.about["options"]
    table = area_table(record)
    failed = about["failures"]
    background = ", ".join(about["background"]) or ("by least confidence" if about["has_background"] else "none")
    facts = [
        Fact("Pictures", f"{about['pictures']:,}" + (f"; {len(failed)} failed" if failed else "")),
        Fact("Maps", MAPS[about["method"]]),
        Fact("Labels", f"{len(record.labels):,}, each through {about['templates']} sentence(s)"),
        Fact("Background", background),
        Fact("Least share of a label in the whole picture", f"{options['present']:g}"),
        Fact("Least confidence of a pixel", f"{options['confidence']:g}"),
    ]
    facts += [Fact(f"Failed: {entry['image_name']}", entry["message"]) for entry in failed[:5]]
    rows = tuple(
        (
            shorten(row.label or BACKGROUND, 60),
            measured(row.value, row.low, row.high, int(row.n), digits=3),
            str(row.won),
        )
        for row in table.head(MOST_LABELS).itertuples()
    )
    more = f"{len(table) - MOST_LABELS} more labels cover less." if len(table) > MOST_LABELS else ""
    title = "Mean share of each label"
    chart = Chart(
        assets.chart(to_svg(area_chart(record, table), title)),
        title,
        f"Mean share of the seen picture, with 95 % interval, n = {about['pictures']} pictures. The colours are those "
        "of the pictures below.",
        "80%",
    )
    columns = (Column("Label", share=44), Column("Mean share", "number", 38), Column("Largest in", "number", 18))
    return Section(
        "Open-vocabulary segmentation",
        facts=tuple(facts),
        sentences=(
            why_words(record),
            "Each pixel goes to the label whose map is highest there; without a background every pixel gets a label, "
            "right or wrong. The areas say what the model sees, not what is there, and depend on the label set.",
            f"Shown are the first {SHOWN} pictures by name; places the model never saw are pale.",
        ),
        charts=(chart,),
        tables=(Table("Labels by mean share, and in how many pictures each covers the most", columns, rows, more),),
        heats=tuple(_painted(run, record, assets, image) for image in list(record.images)[:SHOWN]),
    )


def _painted(run: Run, record: SegmentationRecord, assets: Assets, image: str) -> Heat:
    part = record.areas[(record.areas.image == image) & (record.areas.pixels > 0)]
    best = part.sort_values("pixels", ascending=False).head(3)
    told = ", ".join(f"{row.label or BACKGROUND} {row.share:.0%}".replace("%", " %") for row in best.itertuples())
    name = record.images[image]
    return Heat(assets.photo(record.painted(_open(run, image), image)), f"Segmentation of {name}: {told}", name, told)


def _overlap(record: SegmentationRecord) -> Section:
    table = overlap_table(record)
    rows = tuple(
        (MAPS[row.map], measured(row.value, row.low, row.high, int(row.n), digits=3), str(row.labels))
        for row in table.itertuples()
    )
    if not rows:
        return Section("Overlap with drawn objects")
    ignored = "" if record.about["has_background"] else " Pixels of nothing that was asked for are not counted."
    columns = (Column("Map", share=44), Column("mIoU", "number", 36), Column("Labels", "number", 20))
    return Section(
        "Overlap with drawn objects",
        sentences=(
            f"Truth: {record.about['truth']}. Intersections and unions are summed over pictures and averaged over the "
            f"labels that occur.{ignored} The control gives the whole picture to its best label: maps that do not beat "
            "it add nothing about where things are.",
        ),
        tables=(Table("Mean intersection over union with 95 % interval over pictures", columns, rows),),
    )


def _recognition(record: SegmentationRecord) -> Section:
    recipe = record.about["recipe"]
    first = record.recognition[record.recognition["rank"] == 1]
    counts = first.groupby("label").agg(n=("image", "nunique"), score=(recipe, "mean"), cosine=("cosine", "mean"))
    counts = counts.sort_values(["n", "score"], ascending=False).head(MOST_LABELS)
    rows = tuple(
        (shorten(str(row.Index), 60), str(row.n), number(row.score), number(row.cosine)) for row in counts.itertuples()
    )
    columns = (
        Column("Label ranked first", share=46),
        Column("Pictures", "number"),
        Column("Mean score", "number"),
        Column("Mean cosine", "number"),
    )
    tables = [Table(f"Labels that rank first, of {len(record.images)} pictures", columns, rows)]
    table = precision_table(record)
    for metric, part in table.groupby("metric", sort=False):
        lines = tuple(
            (RECIPES.get(row.recipe, "the same score for all (chance)"), estimate_text(row))
            for row in part.itertuples()
        )
        heads = (Column("Recipe", share=60), Column(str(metric).capitalize(), "number"))
        tables.append(
            Table(f"{str(metric).capitalize()} of each recipe, with 95 % interval over pictures", heads, lines)
        )
    known = "" if len(table) else " The pictures carry no labels, so no precision can be given."
    return Section(
        "Labels recognised in whole pictures",
        sentences=(
            f"Recipe: {RECIPES[recipe]}. The authors published no recipe; all of ours are named and compared where "
            f"labels are known.{known}",
        ),
        tables=tuple(tables),
    )


def _points(run: Run, record: SegmentationRecord, assets: Assets) -> Section:
    heats = []
    for image in list(record.images)[:SHOWN]:
        for label, points in list(record.points.get(image, {}).items())[:1]:
            picture, name = _open(run, image, whole=True), record.images[image]
            told = f"{len(points.positive)} on it, {len(points.negative)} off it"
            drawn = fit(draw_points(picture, points), PRINT_SIDE)
            heats.append(Heat(assets.photo(drawn), f"Prompt points for {label} on {name}: {told}", label, told))
    reason = record.about["sam"] or "Segment Anything made masks of them; they lie in the run's folder"
    sentences = (
        "Points for an interactive segmenter, for the best label of each picture shown: discs lie on it, rings off it. "
        f"All points are in points.json; {reason}.",
    )
    return Section("Prompt points", sentences=sentences if heats else (), heats=tuple(heats))


def _empty(run: Run, record: SegmentationRecord, assets: Assets) -> Section:
    found = empty_table(record)
    heats = tuple(
        _map(run, record, assets, row, "The empty text")
        for row in record.maps[record.maps.kind == "empty"].head(SHOWN).itertuples()
    )
    facts = [Fact("Share of the best label's map that it explains, before", estimate_text(found["before"]))]
    if record.about["method"] == "clip_surgery":
        facts.append(Fact("The same after the common part is removed", estimate_text(found["after"])))
    return Section(
        "The map of the empty text",
        facts=tuple(facts),
        sentences=(
            "What lights up for no text at all says nothing about any label. The share is that of the variance over "
            "places; near 1, the label's map is the empty text's.",
        ),
        heats=heats,
    )


def _captions(run: Run, record: SegmentationRecord, assets: Assets) -> Section:
    if record.tokens.empty:
        return Section("Caption tokens")
    heats, texts = [], []
    for image in list(dict.fromkeys(record.tokens.image))[:2]:
        part = record.maps[record.maps.image == image]
        caption = part[part.kind == "caption"].text.iloc[0]
        texts.append(f"{record.images[image]}: \u201c{shorten(caption, 160)}\u201d")
        rows = part[((part.kind == "caption") & (part.text == caption)) | (part.caption == caption)]
        for row in rows.itertuples():
            heats.append(
                _map(run, record, assets, row, "Caption" if row.kind == "caption" else f"\u201c{row.text}\u201d")
            )
    return Section(
        "Caption tokens",
        sentences=(
            "For two pictures with a caption, the first by name: the caption's map and those of the three tokens that "
            "suit the whole picture best. Only the readout position was trained; what other positions hold is a "
            "by-product, so read these maps as a hint.",
            *texts,
        ),
        heats=tuple(heats),
    )


def _map(run: Run, record: SegmentationRecord, assets: Assets, row: Any, title: str) -> Heat:
    values = np.asarray(row.map, np.float64).reshape(int(row.rows), int(row.columns))
    picture = next(picture for picture in run.dataset.pictures if picture.id == row.image)
    # Without a recorded preprocessing the whole picture was squashed into the input, as far as is known.
    given = run.manifest.get("model", {}).get("preprocessing")
    preprocessing = Preprocessing.from_dict(given) if given else Preprocessing(224, 224, mode="squash")
    geometry = preprocessing.geometry(picture.width, picture.height)
    found = value_range(values)
    low, high = bar_ends(found, signed=True)
    painted = overlay(_open(run, row.image), values, geometry, signed=True)
    caption = f"{method_title(row.method)}, raw {amount(found.low)} to {amount(found.high)}"
    if np.isfinite(row.cosine if row.cosine is not None else np.nan):
        caption += f"; score {number(row.cosine)}"
    bar = assets.drawing(colour_bar(signed=True))
    alt_text = f"Map of {title} on {record.images[row.image]}; {caption}"
    return Heat(assets.photo(painted), alt_text, title, caption, bar, amount(low), amount(high))


def _open(run: Run, image: str, whole: bool = False) -> Image.Image:
    picture = next(picture for picture in run.dataset.pictures if picture.id == image)
    opened = run.dataset.open(picture)
    return opened if whole else fit(opened, PRINT_SIDE)
