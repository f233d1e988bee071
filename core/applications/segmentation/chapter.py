"""Open-vocabulary segmentation in the report: areas, overlap, recognition, points, the empty text, caption tokens."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd
from PIL import Image

from core.applications.segmentation.multilabel import RECIPES
from core.applications.segmentation.points import draw_points
from core.applications.segmentation.record import (
    FEWEST_RANKED,
    FEWEST_WITH_LABEL,
    SegmentationRecord,
    area_table,
    covered_by_one,
    empty_table,
    of_run,
    overlap_table,
    precision_table,
)
from core.applications.segmentation.rows import MapRow
from core.applications.segmentation.tables import (
    AREAS,
    BACKGROUND,
    FIRST,
    MAPS,
    OVERLAP,
    estimate_text,
    first_rows,
    precision,
)
from core.content.assets import Assets
from core.content.charts import colour_legend, styled, to_svg
from core.content.context import ReportContext
from core.content.heat import bar_ends, colour_bar, fit, overlay, value_range
from core.content.parts import Chart, Fact, Heat, HeatRow, Sample, Section
from core.content.promises import draws_interval, promised
from core.content.words import amount, measured, number, plural, shorten
from core.languages import typeset
from core.models.geometry import Preprocessing
from core.rules.parts import title_of
from core.runs import Run
from core.runs.rows import typed

PRINT_SIDE = 340
SHOWN = 6
MOST_LABELS = 25
MOST_UNMATCHED = 10


def sections(context: ReportContext) -> tuple[Section, ...]:
    """What open-vocabulary segmentation found in this run; nothing if it was not computed."""
    run, assets = context.run, context.assets
    record = context.judged.record(of_run)
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
    """Each label's mean share of the images with its interval, in the colour that it has in the images."""
    shown = table.head(MOST_LABELS).assign(title=[shorten(label or BACKGROUND, 40) for label in table.label[:25]])
    tones = ["#{:02x}{:02x}{:02x}".format(*record.colours[label]) for label in shown.label]
    y = alt.Y("title:N", sort=shown.title.tolist(), title=None, axis=alt.Axis(labelLimit=200))
    scale = alt.Scale(domain=shown.title.tolist(), range=tones)
    base = alt.Chart(shown[["title", "value", "low", "high", "n"]])
    x = alt.X("value:Q", title="mean share of the visible image", axis=alt.Axis(format="%", tickCount=5))
    bars = base.mark_bar(height=12).encode(
        x=x, y=y, color=alt.Color("title:N", scale=scale, legend=None), tooltip=["title", "value", "low", "high", "n"]
    )
    reach = base.mark_rule(strokeWidth=1.4, color="#16202c").encode(x="low:Q", x2="high:Q", y=y)
    chart = alt.layer(bars, reach).properties(width=380, height=alt.Step(18))
    return styled(chart)


def why_words(record: SegmentationRecord) -> str:
    """Which maps were used and why, in one sentence."""
    title = MAPS[record.about["method"]]
    return f"The maps are those of {title}: {record.about['why']}."


def _areas(run: Run, record: SegmentationRecord, assets: Assets) -> Section:
    about, options = record.about, record.about["options"]
    table = area_table(record)
    failed = about["failures"]
    background = ", ".join(about["background"]) or ("by minimum confidence" if about["has_background"] else "none")
    facts = [
        Fact("Images", f"{about['images']:,}" + (f"; {len(failed)} failed" if failed else "")),
        Fact("Maps", MAPS[about["method"]]),
        Fact("Labels", f"{len(record.labels):,}, each inserted into {plural(about['templates'], 'sentence')}"),
        Fact("Background", background),
        Fact("Minimum share of a label in the whole image", f"{options['present']:g}"),
        Fact("Minimum confidence of a pixel", f"{options['confidence']:g}"),
    ]
    facts += [Fact(f"Failed: {entry['image_name']}", entry["message"]) for entry in failed[:5]]
    more = f"{len(table) - MOST_LABELS} more labels cover less." if len(table) > MOST_LABELS else ""
    title = "Mean share of each label"
    chart = Chart(
        assets.chart(to_svg(area_chart(record, table), title)),
        title,
        promised("Mean share of the visible image, with 95 % interval", draws_interval(table))
        + f", n = {about['images']} images. The colours are those of the painted images.",
        "80%",
        place="body",
    )
    shown = list(record.images)[:SHOWN]
    first = next(table.itertuples())
    largest = measured(first.value, first.low, first.high, int(first.n))
    return Section(
        "Open-vocabulary segmentation",
        results=(
            f"Largest mean share of the visible image: {first.label or BACKGROUND}, {largest}.",
            *whole_told(record),
        ),
        facts=tuple(facts),
        sentences=(
            why_words(record),
            "Each pixel gets the label whose map is highest there; without a background every pixel gets a label, "
            "right or wrong. The areas describe the predictions of the model, not the true content, and depend on "
            "the label set.",
            f"Shown are the first {SHOWN} images by name; areas cropped away before input are pale.",
            "The label with the largest area or the highest map can differ from the class that other chapters name as "
            "predicted: that class is the best match of the embedding of the whole image.",
        ),
        charts=(chart, _legend(record, shown, assets)) if record.areas.pixels.any() else (chart,),
        tables=(
            AREAS.table(
                "Labels by mean share, and the number of images in which each covers the most",
                table.head(MOST_LABELS),
                more,
            ),
        ),
        heats=tuple(_painted(run, record, assets, image) for image in shown),
    )


def _legend(record: SegmentationRecord, images: Sequence[str], assets: Assets) -> Chart:
    """The colours of the labels that are painted in these images, the largest areas first."""
    part = record.areas[record.areas.image.isin(images) & (record.areas.pixels > 0)]
    order = part.groupby("label")["pixels"].sum().sort_values(ascending=False, kind="stable").index
    named = [
        (shorten(label or BACKGROUND, 30), "#{:02x}{:02x}{:02x}".format(*record.colours[label])) for label in order
    ]
    title = "Colours of the labels in the painted images"
    return Chart(assets.chart(to_svg(colour_legend(named), title)), title, "Largest painted area first.")


def whole_told(record: SegmentationRecord) -> tuple[str, ...]:
    """In how many images one label covers everything, so that the mask says nothing about location."""
    names = covered_by_one(record)
    if not names:
        return ()
    shown = ", ".join(shorten(name, 40) for name in names[:MOST_UNMATCHED])
    more = f" and {len(names) - MOST_UNMATCHED} more" if len(names) > MOST_UNMATCHED else ""
    return (
        f"In {len(names)} of {plural(len(record.images), 'image')} one label covers the whole visible image ({shown}"
        f"{more}): these masks locate nothing, and those of equal size and label have the same hash.",
    )


def _painted(run: Run, record: SegmentationRecord, assets: Assets, image: str) -> Heat:
    part = record.areas[(record.areas.image == image) & (record.areas.pixels > 0)]
    best = part.sort_values("pixels", ascending=False).head(3)
    told = ", ".join(f"{row.label or BACKGROUND} {typeset(f'{row.share:.0%}')}" for row in best.itertuples())
    name = record.images[image]
    return Heat(assets.photo(record.painted(_open(run, image), image)), f"Segmentation of {name}: {told}", name, told)


def _overlap(record: SegmentationRecord) -> Section:
    table = overlap_table(record)
    if table.empty:
        return Section("Overlap with drawn objects")
    ignored = "" if record.about["has_background"] else " Pixels without any of the requested labels are not counted."
    return Section(
        "Overlap with drawn objects",
        sentences=(
            f"Ground truth: {record.about['truth']}. Intersections and unions are summed over images and averaged "
            f"over the labels that occur.{ignored} The control assigns the whole image to its best label: maps that "
            "are not better than it add no information about location. There is no interval where a label occurs in "
            f"fewer than {plural(FEWEST_WITH_LABEL, 'image')}.",
            *[f"Left out of the annotations: {line}." for line in record.about.get("left_out", ())[:MOST_UNMATCHED]],
        ),
        tables=(OVERLAP.table("Mean intersection over union with 95 % interval over images", table),),
    )


def _recognition(record: SegmentationRecord) -> Section:
    recipe = record.about["recipe"]
    first = first_rows(record)[:MOST_LABELS]
    tables = [FIRST.table(f"Labels that rank first, of {len(record.images)} images", first)]
    table = precision_table(record)
    for metric, part in table.groupby("metric", sort=False):
        spec = precision(str(metric))
        tables.append(spec.table(f"{str(metric).capitalize()} of each recipe, with 95 % interval over images", part))
    known = " The images have no labels, so no precision can be given."
    if len(table):
        known = (
            f" Mean average precision has no interval where a label has fewer than {FEWEST_RANKED} images with it or "
            "without it."
        )
        if table["exact"].any():
            known += (
                " The same score for all gives the share of true labels; it is exact and has no interval, because "
                "every image has equally many."
            )
    if unmatched := record.about.get("unmatched"):
        shown = ", ".join(f"{shorten(label, 40)} ({count})" for label, count in unmatched[:MOST_UNMATCHED])
        more = f" and {len(unmatched) - MOST_UNMATCHED} more" if len(unmatched) > MOST_UNMATCHED else ""
        known += (
            f" Not used, because no class or prompt of this audit has the same name: {plural(len(unmatched), 'label')} "
            f"of the column {record.about['labels_column']} ({shown}{more})."
        )
    return Section(
        "Labels recognised in whole images",
        sentences=(
            f"Recipe: {RECIPES[recipe]}. The authors published no recipe; all recipes used here are named and "
            f"compared where labels are known.{known}",
        ),
        tables=tuple(tables),
    )


def _points(run: Run, record: SegmentationRecord, assets: Assets) -> Section:
    heats = []
    for image in list(record.images)[:SHOWN]:
        for label, points in list(record.points.get(image, {}).items())[:1]:
            entry, name = _open(run, image, whole=True), record.images[image]
            told = f"{label}: {len(points.positive)} on it, {len(points.negative)} off it"
            # Drawn at the size of print: on the original they would be too small to see there.
            small = fit(entry, PRINT_SIDE)
            drawn = draw_points(small, points.scaled(small.width / entry.width, small.height / entry.height))
            heats.append(Heat(assets.photo(drawn), f"Prompt points on {name} for {told}", name, told))
    reason = record.about["sam"] or "Segment Anything converted them to masks, which are in the run's folder"
    sentences = (
        "Points for an interactive segmenter, for the best label of each image shown: discs lie on it, rings off "
        f"it. All points are in points.json; {reason}.",
    )
    return Section("Prompt points", sentences=sentences if heats else (), heats=tuple(heats))


def _empty(run: Run, record: SegmentationRecord, assets: Assets) -> Section:
    found = empty_table(record)
    heats = tuple(
        _map(run, record, assets, row, record.images[row.image])
        for row in typed(record.maps[record.maps.kind == "empty"].head(SHOWN), MapRow)
    )
    facts = [
        Fact("Share of the best label's map that the map of the empty text explains", estimate_text(found["before"]))
    ]
    if record.about["method"] == "clip_surgery":
        facts.append(Fact("The same after the part common to all labels is removed", estimate_text(found["after"])))
    return Section(
        "The map of the empty text",
        facts=tuple(facts),
        sentences=(
            "Areas highlighted for the empty text carry no information about any label. The share is that of the "
            "variance over patches; near 1, the map of the label equals that of the empty text.",
            f"Shown are the maps of the empty text on {plural(len(heats), 'image')}.",
        ),
        heats=heats,
    )


def _captions(run: Run, record: SegmentationRecord, assets: Assets) -> Section:
    if record.tokens.empty:
        return Section("Caption tokens")
    samples = []
    for image in list(dict.fromkeys(record.tokens.image))[:2]:
        part = record.maps[record.maps.image == image]
        caption = part[part.kind == "caption"].text.iloc[0]
        rows = part[((part.kind == "caption") & (part.text == caption)) | (part.caption == caption)]
        heats = tuple(
            _map(run, record, assets, row, "Caption" if row.kind == "caption" else f"\u201c{row.text}\u201d")
            for row in typed(rows, MapRow)
        )
        samples.append(Sample(record.images[image], "", (HeatRow(shorten(caption, 160), "", heats),)))
    return Section(
        "Caption tokens",
        sentences=(
            "For two images with a caption, the first by name: the map of the caption and those of the three tokens "
            "with the highest score for the whole image. Training compares whole captions with images, not "
            "single tokens, so these maps are indicative only.",
        ),
        samples=tuple(samples),
    )


def _map(run: Run, record: SegmentationRecord, assets: Assets, row: MapRow, title: str) -> Heat:
    values = np.asarray(row.map, np.float64).reshape(int(row.rows), int(row.columns))
    image = next(image for image in run.dataset.images if image.id == row.image)
    # Without a recorded preprocessing the whole image was squashed into the input, as far as is known.
    given = run.manifest.get("model", {}).get("preprocessing")
    preprocessing = Preprocessing.from_dict(given) if given else Preprocessing(224, 224, mode="squash")
    geometry = preprocessing.geometry(image.width, image.height)
    found = value_range(values)
    low, high = bar_ends(found, signed=True)
    painted = overlay(_open(run, row.image), values, geometry, signed=True)
    caption = f"{title_of(row.method)}, raw {amount(found.low)} to {amount(found.high)}"
    if np.isfinite(row.cosine if row.cosine is not None else np.nan):
        caption += f"; score {number(row.cosine)}"
    bar = assets.drawing(colour_bar(signed=True))
    alt_text = f"Map of {title} on {record.images[row.image]}; {caption}"
    return Heat(assets.photo(painted), alt_text, title, caption, bar, amount(low), amount(high))


def _open(run: Run, image: str, whole: bool = False) -> Image.Image:
    entry = next(entry for entry in run.dataset.images if entry.id == image)
    opened = run.dataset.open(entry)
    return opened if whole else fit(opened, PRINT_SIDE)
