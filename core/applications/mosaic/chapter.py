"""The mosaic pointing game, in the report. No torch."""

from __future__ import annotations

import altair as alt
import pandas as pd
from PIL import Image

from core.applications.mosaic.layout import mosaic
from core.applications.mosaic.measures import mosaic_table
from core.applications.mosaic.record import MapRow, MosaicRecord, of_run
from core.applications.mosaic.tables import METHODS, PROBLEMS
from core.content.assets import Assets
from core.content.charts import ACCENT, MUTED, WIDTH, styled, to_svg
from core.content.context import ReportContext
from core.content.heat import bar_ends, colour_bar, overlay, value_range
from core.content.parts import Chart, Fact, Heat, Section
from core.content.words import amount, shorten
from core.models.geometry import Geometry
from core.rules.parts import title_of
from core.runs import Run
from core.runs.rows import typed

SHOWN_METHODS, PRINT_SIDE = 3, 360
# A map that doesn't depend on the text is at chance but for this.
ROUNDING = 1e-6
# All of a square mosaic is seen.
SQUARE = Geometry(PRINT_SIDE, PRINT_SIDE, PRINT_SIDE, PRINT_SIDE, 1.0, 1.0, 0.0, 0.0)
TILES = ("upper left", "upper right", "lower left", "lower right")
OWN = {"captions": "its first caption"}
HOW = (
    "Images of the audit were arranged side by side and each mosaic was explained with the text of every tile. The "
    "correct tile of a text is known by construction; neither drawn objects nor labels are needed.",
    "In its tile: the share of a map's positive values that lies on the image of the text; mass: the same for all "
    "values above the lowest; highest cell: how often it lies there. Means over the texts of a mosaic, then over "
    "mosaics, with 95 % interval. A map that does not depend on the text has exactly the tile's share of the area.",
    "A mosaic has borders and several scenes, unlike training images, and a text that matches two tiles counts as a "
    "miss: compare methods with each other and with the chance level.",
)


def sections(context: ReportContext) -> tuple[Section, ...]:
    """What the application `mosaic` found in this run; nothing if it was not computed."""
    run, assets = context.run, context.assets
    record = context.judged.record(of_run)
    if record is None:
        return ()
    table = mosaic_table(record)
    parts = (_measured(record, table, assets), _shown(run, record, table, assets), _problems(record))
    return tuple(part for part in parts if not part.empty)


def mosaic_chart(record: MosaicRecord, table: pd.DataFrame) -> alt.LayerChart:
    """The share in the right tile of each method with its 95 % interval; the line is chance."""
    frame = table.assign(title=table["method"].map(title_of))[["title", "share", "share_low", "share_high", "n"]]
    y = alt.Y("title:N", sort=frame["title"].tolist(), title=None)
    x = alt.X("share:Q", title="share of positive values in the correct tile (line: chance)")
    base = alt.Chart(frame)
    chance = alt.Chart(pd.DataFrame({"chance": [record.chance]})).mark_rule(color=MUTED, strokeDash=[3, 3])
    bars = base.mark_rule(strokeWidth=2, color=ACCENT).encode(x="share_low:Q", x2="share_high:Q", y=y)
    points = base.mark_point(filled=True, size=70, opacity=1, color=ACCENT).encode(
        x=x, y=y, tooltip=["title", alt.Tooltip("share", format=".2f"), "n"]
    )
    height = alt.Step(24 if len(frame) <= 16 else 14)
    return styled(alt.layer(chance.encode(x="chance:Q"), bars, points).properties(width=WIDTH - 170, height=height))


def image_of(run: Run, record: MosaicRecord, mosaic_number: int) -> Image.Image | None:
    """A mosaic as it is shown; None if an image of it isn't in the data set any more."""
    images = record.images(mosaic_number)
    known = {entry.id: entry for entry in run.dataset.images}
    if not images or any(image not in known for image in images):
        return None
    return mosaic([run.dataset.open(known[image]) for image in images], PRINT_SIDE)


def where(tile: int, tiles: int) -> str:
    """Where a tile lies, in words."""
    return TILES[tile] if tiles > 2 else ("left", "right")[tile]


def _measured(record: MosaicRecord, table: pd.DataFrame, assets: Assets) -> Section:
    about = record.about
    settings = (
        "those of the audit"
        if about["options"]["effort"] == "planned"
        else ("inexpensive ones (quick effort or coarser)")
    )
    facts = (
        Fact("Mosaics", f"{about['mosaics']} of {about['tiles']} images; {about['images']} images are used"),
        Fact("Text of a tile", OWN.get(about["own"], "the prompt or class that the model ranks first")),
        Fact("Settings of the methods", settings),
        Fact("Forwards", f"{about['image_forwards']:,.0f} of the image tower"),
    )
    title = "Share of maps in the correct tile, with 95 % interval"
    charts = (
        (
            Chart(
                assets.chart(to_svg(mosaic_chart(record, table), title)),
                title,
                f"{title}; the line is the chance level.",
                place="body",
            ),
        )
        if len(table)
        else ()
    )
    note = "p: that the share is above chance (from the same interval over mosaics), adjusted over methods (Holm)."
    return Section(
        "Mosaic pointing game",
        facts=facts,
        sentences=HOW,
        charts=charts,
        tables=(METHODS.table("Methods by the share of their maps in the correct tile", table, note),),
    )


def _shown(run: Run, record: MosaicRecord, table: pd.DataFrame, assets: Assets) -> Section:
    """The first mosaic with the maps of a few methods for the text of its first tile."""
    made = image_of(run, record, 0)
    if made is None:
        return Section("A mosaic")
    first = record.maps[(record.maps["mosaic"] == 0) & (record.maps["tile"] == 0)]
    rows = {row.method: row for row in typed(first, MapRow)}
    text = str(first["text"].iloc[0])
    heats = [Heat(assets.photo(made), f"a mosaic of {record.tiles} images", "Mosaic")]
    for method in [name for name in table["method"] if name in rows][:SHOWN_METHODS]:
        values = record.grid(rows[method])
        low, high = bar_ends(value_range(values), signed=False)
        heats.append(
            Heat(
                assets.photo(overlay(made, values, SQUARE, smooth=False)),
                f"{title_of(method)} of the mosaic for the text {text}; raw {amount(low)} to {amount(high)}",
                title_of(method), "", assets.drawing(colour_bar()), amount(low), amount(high),
            )
        )  # fmt: skip
    said = f"The first mosaic, for the text of its {where(0, record.tiles)} image: “{shorten(text, 160)}”."
    return Section("A mosaic", sentences=(said,), heats=tuple(heats))


def _problems(record: MosaicRecord) -> Section:
    problems = record.about["problems"]
    table = PROBLEMS.table("Explanations that failed; they are not part of any number", problems)
    return Section("Mosaics that could not be explained", tables=(table,) if problems else ())
