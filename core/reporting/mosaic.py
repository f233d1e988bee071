"""The mosaic pointing game, in the report. No torch."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd
from PIL import Image

from core.applications.mosaic_picture import mosaic
from core.applications.mosaic_record import MosaicRecord, of_run
from core.evaluation.mosaic import MEASURES, mosaic_table
from core.models.geometry import Geometry
from core.reporting.assets import Assets
from core.reporting.charts import ACCENT, MUTED, WIDTH, method_title, shorten, styled, to_svg
from core.reporting.content import Chart, Column, Fact, Heat, Section, Table
from core.reporting.heat import bar_ends, colour_bar, overlay, value_range
from core.reporting.words import amount, bounded, number
from core.runs import Run

SHOWN_METHODS, PRINT_SIDE = 3, 360
# A map that doesn't depend on the text is at chance but for this.
ROUNDING = 1e-6
# All of a square mosaic is seen.
SQUARE = Geometry(PRINT_SIDE, PRINT_SIDE, PRINT_SIDE, PRINT_SIDE, 1.0, 1.0, 0.0, 0.0)
TILES = ("upper left", "upper right", "lower left", "lower right")
OWN = {"captions": "its first caption"}
HOW = (
    "Pictures of the audit were set side by side and each mosaic explained with the text of every tile. Which tile a "
    "text belongs to is known because it was put there; no drawn object and no label is needed.",
    "In its tile: the share of a map\u2019s positive values that lies on the picture of the text; mass: the same of "
    "all above the map\u2019s lowest value; highest cell: how often it lies there. Means over the texts of a mosaic, "
    "then over mosaics, with 95 % interval. A map that doesn\u2019t depend on the text has just the tile\u2019s part.",
    "A mosaic has borders and several scenes, which pictures in training haven\u2019t, and a text that fits two tiles "
    "counts as a miss: read differences between methods, and beside chance.",
)


def mosaic_sections(run: Run, assets: Assets) -> tuple[Section, ...]:
    """What the application `mosaic` found in this run; nothing if it was not computed."""
    record = of_run(run)
    if record is None:
        return ()
    table = mosaic_table(record)
    parts = (_measured(record, table, assets), _shown(run, record, table, assets), _problems(record))
    return tuple(part for part in parts if not part.empty)


def mosaic_chart(record: MosaicRecord, table: pd.DataFrame) -> alt.LayerChart:
    """The share in the right tile of each method with its 95 % interval; the line is chance."""
    frame = table.assign(title=table["method"].map(method_title))[["title", "share", "share_low", "share_high", "n"]]
    y = alt.Y("title:N", sort=frame["title"].tolist(), title=None)
    x = alt.X("share:Q", title="share of positive values in the right tile (line: chance)")
    base = alt.Chart(frame)
    chance = alt.Chart(pd.DataFrame({"chance": [record.chance]})).mark_rule(color=MUTED, strokeDash=[3, 3])
    bars = base.mark_rule(strokeWidth=2, color=ACCENT).encode(x="share_low:Q", x2="share_high:Q", y=y)
    points = base.mark_point(filled=True, size=70, opacity=1, color=ACCENT).encode(
        x=x, y=y, tooltip=["title", alt.Tooltip("share", format=".2f"), "n"]
    )
    height = alt.Step(24 if len(frame) <= 16 else 14)
    return styled(alt.layer(chance.encode(x="chance:Q"), bars, points).properties(width=WIDTH - 170, height=height))


def reading(record: MosaicRecord, table: pd.DataFrame) -> str:
    """Which methods are above chance, and which below, in one sentence."""
    above = table[table["share_low"].notna() & (table["share_low"] > record.chance + ROUNDING) & (table["p"] < 0.05)]
    below = table[table["share_high"].notna() & (table["share_high"] < record.chance - ROUNDING)]
    names = ", ".join(method_title(name) for name in above["method"])
    told = f"Above chance ({record.chance:.2f}), adjusted p below 0.05: {names or 'no method'}."
    if len(below):
        told += f" Whole interval below chance: {', '.join(method_title(name) for name in below['method'])}."
    return told


def told(row: Any) -> tuple[str, ...]:
    """What a row of `mosaic_table` says of each measure, with its interval."""
    return tuple(
        bounded(getattr(row, name), getattr(row, f"{name}_low"), getattr(row, f"{name}_high")) for name in MEASURES
    )


def picture_of(run: Run, record: MosaicRecord, mosaic_number: int) -> Image.Image | None:
    """A mosaic as it is shown; None if a picture of it isn't in the data set any more."""
    images = record.pictures(mosaic_number)
    known = {picture.id: picture for picture in run.dataset.pictures}
    if not images or any(image not in known for image in images):
        return None
    return mosaic([run.dataset.open(known[image]) for image in images], PRINT_SIDE)


def where(tile: int, tiles: int) -> str:
    """Where a tile lies, in words."""
    return TILES[tile] if tiles > 2 else ("left", "right")[tile]


def _measured(record: MosaicRecord, table: pd.DataFrame, assets: Assets) -> Section:
    about = record.about
    settings = (
        "those of the audit" if about["options"]["effort"] == "planned" else "cheap ones (quick effort or coarser)"
    )
    facts = (
        Fact("Mosaics", f"{about['mosaics']} of {about['tiles']} pictures; {about['pictures']} pictures take part"),
        Fact("Text of a tile", OWN.get(about["own"], "the prompt or class that the model ranks first")),
        Fact("Settings of the methods", settings),
        Fact("Forwards", f"{about['image_forwards']:,.0f} of the image tower"),
    )
    title = "Share of maps in the right tile, with 95 % interval"
    charts = (
        (Chart(assets.chart(to_svg(mosaic_chart(record, table), title)), title, f"{title}; the line is chance."),)
        if len(table)
        else ()
    )
    columns = (
        Column("Method", share=26), Column("In its tile", "number"), Column("Mass", "number"),
        Column("Highest cell", "number"), Column("p", "number", 9), Column("n", "number", 6),
    )  # fmt: skip
    rows = tuple((method_title(row.method), *told(row), number(row.p, 3), str(row.n)) for row in table.itertuples())
    note = "p: that the share is above chance (Student\u2019s t over mosaics), adjusted over methods (Holm)."
    return Section(
        "Mosaic pointing game",
        facts=facts,
        sentences=(*HOW, reading(record, table)),
        charts=charts,
        tables=(Table("Methods by the share of their maps in the right tile", columns, rows, note),),
    )


def _shown(run: Run, record: MosaicRecord, table: pd.DataFrame, assets: Assets) -> Section:
    """The first mosaic with the maps of a few methods for the text of its first tile."""
    made = picture_of(run, record, 0)
    if made is None:
        return Section("A mosaic")
    first = record.maps[(record.maps["mosaic"] == 0) & (record.maps["tile"] == 0)]
    rows = {row.method: row for row in first.itertuples()}
    text = str(first["text"].iloc[0])
    heats = [Heat(assets.photo(made), f"a mosaic of {record.tiles} pictures", "Mosaic")]
    for method in [name for name in table["method"] if name in rows][:SHOWN_METHODS]:
        values = record.grid(rows[method])
        low, high = bar_ends(value_range(values), signed=False)
        heats.append(
            Heat(
                assets.photo(overlay(made, values, SQUARE, smooth=False)),
                f"{method_title(method)} of the mosaic for the text {text}; raw {amount(low)} to {amount(high)}",
                method_title(method), "", assets.drawing(colour_bar()), amount(low), amount(high),
            )
        )  # fmt: skip
    said = f"The first mosaic, for the text of its {where(0, record.tiles)} picture: \u201c{shorten(text, 160)}\u201d."
    return Section("A mosaic", sentences=(said,), heats=tuple(heats))


def _problems(record: MosaicRecord) -> Section:
    rows = tuple((method_title(name), str(number + 1), reason) for name, number, reason in record.about["problems"])
    columns = (Column("Method", share=26), Column("Mosaic", "number", 10), Column("Reason"))
    table = Table("Explanations that failed; they are part of no number", columns, rows)
    return Section("Mosaics that could not be explained", tables=(table,) if rows else ())
