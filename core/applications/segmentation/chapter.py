"""Open-vocabulary segmentation in the report: areas, overlap, recognition, points, the empty text, caption tokens."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from PIL import Image

from core.applications.segmentation.accuracy_chapter import MOST_LABELS, MOST_NAMED, overlap, recognition
from core.applications.segmentation.points import draw_points
from core.applications.segmentation.record import (
    SegmentationRecord,
    area_table,
    covered_by_one,
    empty_table,
    of_run,
)
from core.applications.segmentation.rows import MapRow
from core.applications.segmentation.tables import (
    AREAS,
    MAPS,
    estimate_text,
    label_title,
)
from core.content.altair import alt
from core.content.assets import Assets
from core.content.charts import colour_legend, roomy, styled, to_svg
from core.content.context import ReportContext
from core.content.heat import bar_ends, colour_bar, fit, overlay, value_range
from core.content.parts import Chart, Fact, Heat, HeatRow, Sample, Section
from core.content.promises import draws_interval, promised
from core.content.words import amount, measured, number, plural, shorten
from core.languages import localised, say, typeset
from core.methods.capability import reason_told
from core.models.geometry import Preprocessing
from core.rules.parts import title_of
from core.runs import Run
from core.runs.rows import typed

PRINT_SIDE = 340
SHOWN = 6
CONVERTED = "Segment Anything converted them to masks, which are in the run's folder"  # messages


def sections(context: ReportContext) -> tuple[Section, ...]:
    """What open-vocabulary segmentation found in this run; nothing if it was not computed."""
    run, assets = context.run, context.assets
    record = context.judged.record(of_run)
    if record is None:
        return ()
    parts = (
        _areas(run, record, assets),
        overlap(record),
        recognition(record),
        _points(run, record, assets),
        _empty(run, record, assets),
        _captions(run, record, assets),
    )
    return tuple(part for part in parts if not part.empty)


def area_chart(record: SegmentationRecord, table: pd.DataFrame) -> alt.LayerChart:
    """Each label's mean share of the images with its interval, in the colour that it has in the images."""
    shown = table.head(MOST_LABELS).assign(title=[shorten(label_title(label), 40) for label in table.label[:25]])
    tones = ["#{:02x}{:02x}{:02x}".format(*record.colours[label]) for label in shown.label]
    y = alt.Y("title:N", sort=shown.title.tolist(), title=None, axis=alt.Axis(labelLimit=200))
    scale = alt.Scale(domain=shown.title.tolist(), range=tones)
    base = alt.Chart(shown[["title", "value", "low", "high", "n"]])
    x = alt.X(
        "value:Q",
        title=say("mean share of the visible image"),
        axis=alt.Axis(format="%", tickCount=5),
        scale=roomy(shown["high"], shown["value"]),
    )
    bars = base.mark_bar(height=12).encode(
        x=x, y=y, color=alt.Color("title:N", scale=scale, legend=None), tooltip=["title", "value", "low", "high", "n"]
    )
    reach = base.mark_rule(strokeWidth=1.4, color="#16202c").encode(x="low:Q", x2="high:Q", y=y)
    chart = alt.layer(bars, reach).properties(width=380, height=alt.Step(18))
    return styled(chart)


def why_words(record: SegmentationRecord) -> str:
    """Which maps were used and why, in one sentence."""
    maps, why = say(MAPS[record.about["method"]]), str(record.about["why"])
    surgery = f"{MAPS['clip_surgery']} "
    if why.startswith(surgery):
        told = surgery + reason_told(why.removeprefix(surgery))
    else:
        told = say(why)
    return say("The maps are those of {maps}: {why}.", maps=maps, why=told)


def _areas(run: Run, record: SegmentationRecord, assets: Assets) -> Section:
    about, options = record.about, record.about["options"]
    table = area_table(record)
    failed = about["failures"]
    unnamed = say("by minimum confidence" if about["has_background"] else "none")
    background = ", ".join(about["background"]) or unnamed
    images, sentences = localised(f"{about['images']:,}"), plural(about["templates"], "sentence")
    measured_on = say("{images}; {failed} failed", images=images, failed=len(failed)) if failed else images
    facts = [
        Fact("Images", measured_on),
        Fact("Maps", say(MAPS[about["method"]])),
        Fact(
            "Labels",
            say("{count:,}, each inserted into {sentences}", count=len(record.labels), sentences=sentences),
        ),
        Fact("Background", background),
        Fact("Minimum share of a label in the whole image", localised(f"{options['present']:g}")),
        Fact("Minimum confidence of a pixel", localised(f"{options['confidence']:g}")),
    ]
    facts += [Fact(say("Failed: {name}", name=entry["image_name"]), entry["message"]) for entry in failed[:5]]
    left = len(table) - MOST_LABELS
    more = say("{count} more labels cover less.", count=left) if left > 0 else ""
    title = say("Mean share of each label")
    shares = say(
        "Mean share of the visible image, with 95 % interval, n = {n} images. The colours are those of the painted "
        "images.",
        n=about["images"],
    )
    chart = Chart(
        assets.chart(to_svg(area_chart(record, table), title)),
        title,
        promised(shares, draws_interval(table)),
        "80%",
        place="body",
    )
    shown = list(record.images)[:SHOWN]
    first = next(table.itertuples())
    largest = measured(first.value, first.low, first.high, int(first.n))
    return Section(
        "Open-vocabulary segmentation",
        results=(
            say(
                "Largest mean share of the visible image: {label}, {share}.",
                label=label_title(first.label),
                share=largest,
            ),
            *whole_told(record),
        ),
        facts=tuple(facts),
        sentences=(
            why_words(record),
            say(
                "Each pixel gets the label whose map is highest there; without a background every pixel gets a label, "
                "right or wrong. The areas describe the predictions of the model, not the true content, and depend on "
                "the label set."
            ),
            say("Shown are the first {count} images by name; areas cropped away before input are pale.", count=SHOWN),
            say(
                "The label with the largest area or the highest map can differ from the class that other chapters name "
                "as predicted: that class is the best match of the embedding of the whole image."
            ),
        ),
        charts=(chart, _legend(record, shown, assets)) if record.areas.pixels.any() else (chart,),
        tables=(
            AREAS.table(
                say("Labels by mean share, and the number of images in which each covers the most"),
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
    named = [(shorten(label_title(label), 30), "#{:02x}{:02x}{:02x}".format(*record.colours[label])) for label in order]
    title = say("Colours of the labels in the painted images")
    return Chart(assets.chart(to_svg(colour_legend(named), title)), title, say("Largest painted area first."))


def whole_told(record: SegmentationRecord) -> tuple[str, ...]:
    """In how many images one label covers everything, so that the mask says nothing about location."""
    names = covered_by_one(record)
    if not names:
        return ()
    shown = ", ".join(shorten(name, 40) for name in names[:MOST_NAMED])
    if len(names) > MOST_NAMED:
        shown = f"{shown} {say('and {count} more', count=len(names) - MOST_NAMED)}"
    return (
        say(
            "In {count} of {images} one label covers the whole visible image ({names}): these masks locate nothing, "
            "and those of equal size and label have the same hash.",
            count=len(names),
            images=plural(len(record.images), "image"),
            names=shown,
        ),
    )


def _painted(run: Run, record: SegmentationRecord, assets: Assets, image: str) -> Heat:
    part = record.areas[(record.areas.image == image) & (record.areas.pixels > 0)]
    best = part.sort_values("pixels", ascending=False).head(3)
    told = ", ".join(f"{label_title(row.label)} {localised(typeset(f'{row.share:.0%}'))}" for row in best.itertuples())
    name = record.images[image]
    alt_text = say("Segmentation of {name}: {labels}", name=name, labels=told)
    return Heat(assets.photo(record.painted(_open(run, image), image)), alt_text, name, told)


def _points(run: Run, record: SegmentationRecord, assets: Assets) -> Section:
    heats = []
    for image in list(record.images)[:SHOWN]:
        for label, points in list(record.points(image).items())[:1]:
            entry, name = _open(run, image, whole=True), record.images[image]
            on, off = len(points.positive), len(points.negative)
            told = say("{label}: {on} on it, {off} off it", label=label, on=on, off=off)
            # Drawn at the size of print: on the original they would be too small to see there.
            small = fit(entry, PRINT_SIDE)
            drawn = draw_points(small, points.scaled(small.width / entry.width, small.height / entry.height))
            alt_text = say("Prompt points on {name} for {label}", name=name, label=told)
            heats.append(Heat(assets.photo(drawn), alt_text, name, told))
    sentences = (
        say(
            "Points for an interactive segmenter, for the best label of each image shown: discs lie on it, rings off "
            "it. All points are in points.json; {reason}.",
            reason=say(record.about["sam"] or CONVERTED),
        ),
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
            say(
                "Areas highlighted for the empty text carry no information about any label. The share is that of the "
                "variance over patches; near 1, the map of the label equals that of the empty text."
            ),
            say("Shown are the maps of the empty text on {images}.", images=plural(len(heats), "image")),
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
            _map(run, record, assets, row, say("Caption") if row.kind == "caption" else say("“{text}”", text=row.text))
            for row in typed(rows, MapRow)
        )
        samples.append(Sample(record.images[image], "", (HeatRow(shorten(caption, 160), "", heats),)))
    return Section(
        "Caption tokens",
        sentences=(
            say(
                "For two images with a caption, the first by name: the map of the caption and those of the three "
                "tokens with the highest score for the whole image. Training compares whole captions with images, not "
                "single tokens, so these maps are indicative only."
            ),
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
    reach = {"method": title_of(row.method), "low": amount(found.low), "high": amount(found.high)}
    caption = say("{method}, raw {low} to {high}", **reach)
    if np.isfinite(row.cosine if row.cosine is not None else np.nan):
        caption = say("{method}, raw {low} to {high}; score {score}", score=number(row.cosine), **reach)
    bar = assets.drawing(colour_bar(signed=True))
    alt_text = say("Map of {title} on {name}; {caption}", title=title, name=record.images[row.image], caption=caption)
    return Heat(assets.photo(painted), alt_text, title, caption, bar, amount(low), amount(high))


def _open(run: Run, image: str, whole: bool = False) -> Image.Image:
    entry = next(entry for entry in run.dataset.images if entry.id == image)
    opened = run.dataset.open(entry)
    return opened if whole else fit(opened, PRINT_SIDE)
