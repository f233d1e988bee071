"""The mosaic pointing game, in the report. No torch."""

from __future__ import annotations

import pandas as pd
from PIL import Image

from core.applications.mosaic.layout import mosaic
from core.applications.mosaic.measures import halved, mosaic_table, share_in_tile, typical_text
from core.applications.mosaic.record import MapRow, MosaicRecord, of_run
from core.applications.mosaic.tables import METHODS, PROBLEMS
from core.applications.phrases import own_text, raw_range
from core.content.altair import alt
from core.content.assets import Assets
from core.content.charts import ACCENT, MUTED, WIDTH, roomy, styled, to_svg
from core.content.context import ReportContext
from core.content.heat import bar_ends, colour_bar, overlay, value_range
from core.content.parts import Chart, Fact, Heat, Section
from core.content.words import amount, number, percent, plural, shorten
from core.languages import say
from core.methods import METHODS as PLANNABLE
from core.models.geometry import Geometry
from core.rules.parts import title_of
from core.runs import Run
from core.runs.rows import typed

SHOWN_METHODS, PRINT_SIDE = 3, 360
# Of tied highest cells, those in the tile count by their share.
HALF = 0.5
# A map that doesn't depend on the text is at chance but for this.
ROUNDING = 1e-6
# All of a square mosaic is seen.
SQUARE = Geometry(PRINT_SIDE, PRINT_SIDE, PRINT_SIDE, PRINT_SIDE, 1.0, 1.0, 0.0, 0.0)
TILES = ("upper left", "upper right", "lower left", "lower right")  # messages
HALVES = ("left-hand", "right-hand")  # messages
HOW = (  # messages
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
    """The share in the correct tile of each method with its 95 % interval; the line is chance."""
    frame = table.assign(title=table["method"].map(title_of))[["title", "share", "share_low", "share_high", "n"]]
    y = alt.Y("title:N", sort=frame["title"].tolist(), title=None)
    title = say("share of positive values in the correct tile (line: chance)")
    x = alt.X("share:Q", title=title, scale=roomy(frame["share_high"], frame["share"], pd.Series([record.chance])))
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
    return say(TILES[tile] if tiles > 2 else HALVES[tile])


def _measured(record: MosaicRecord, table: pd.DataFrame, assets: Assets) -> Section:
    about = record.about
    settings = (
        say("those of the audit")
        if about["options"]["effort"] == "planned"
        else say("inexpensive ones (quick effort or coarser)")
    )
    facts = (
        Fact(
            "Mosaics",
            say(
                "{mosaics} of {tiles} images each, from {images}",
                mosaics=plural(about["mosaics"], "mosaic"),
                tiles=about["tiles"],
                images=plural(about["images"], "image"),
            ),
        ),
        Fact("Text of a tile", own_text(about["own"])),
        Fact("Settings of the methods", settings),
        Fact("Forward passes", say("{count:,.0f} of the image tower", count=about["image_forwards"])),
    )
    title = say("Share of maps in the correct tile, with 95 % interval")
    charts = (
        (
            Chart(
                assets.chart(to_svg(mosaic_chart(record, table), title)),
                title,
                say("{title}; the line is the chance level.", title=title),
                place="body",
            ),
        )
        if len(table)
        else ()
    )
    note = say(
        "p: one-sided, of a share no larger than chance ({chance}), from the same interval over mosaics, adjusted over "
        "methods (Holm).",
        chance=number(record.chance, 2),
    )
    return Section(
        "Mosaic pointing game",
        facts=facts,
        sentences=tuple(map(say, HOW)),
        charts=charts,
        tables=(METHODS.table(say("Methods by the share of their maps in the correct tile"), table, note),),
    )


def _shown(run: Run, record: MosaicRecord, table: pd.DataFrame, assets: Assets) -> Section:
    """The mosaic of the text with the median share in its tile, with the maps of a few methods for this text."""
    methods = list(table["method"])[:SHOWN_METHODS]
    place = typical_text(record, methods)
    made = None if place is None else image_of(run, record, place[0])
    if place is None or made is None:
        return Section("A mosaic")
    rows = {row.method: row for row in typed(_shown_rows(record, *place), MapRow)}
    text = rows[methods[0]].text
    heats = [Heat(assets.photo(made), say("a mosaic of {tiles} images", tiles=record.tiles), say("Mosaic"))]
    heats += [_heat(record, rows[method], made, assets) for method in methods]
    said = say(
        "Shown is the text whose share in its tile, the mean over the methods shown, is the median of all texts: that "
        "of the {place} image of mosaic {number}, “{text}”. Half of the texts have at most this share.",
        place=where(place[1], record.tiles),
        number=place[0] + 1,
        text=shorten(text, 160),
    )
    return Section("A mosaic", sentences=(said,), heats=tuple(heats))


def _shown_rows(record: MosaicRecord, number: int, tile: int) -> pd.DataFrame:
    return record.maps[(record.maps["mosaic"] == number) & (record.maps["tile"] == tile)]


def _heat(record: MosaicRecord, row: MapRow, made: Image.Image, assets: Assets) -> Heat:
    """The map of one method over its mosaic; the caption says how much of it lies in the tile of the text."""
    values = record.grid(row)
    extent, signed = value_range(values), is_signed(row.method)
    low, high = bar_ends(extent, signed=signed)
    bar, title, raw = colour_bar(signed=signed), title_of(row.method), raw_range(extent.low, extent.high)
    return Heat(
        assets.photo(overlay(made, values, SQUARE, signed=signed, smooth=False)),
        say("{title} of the mosaic for the text {text}; {range}", title=title, text=row.text, range=raw),
        title, f"{tile_caption(record, row)}; {raw}", assets.drawing(bar), amount(low), amount(high),
    )  # fmt: skip


def is_signed(method: str) -> bool:
    """Whether the maps of a method have a sign; not where this version does not know it."""
    return method in PLANNABLE and PLANNABLE[method].signed


def tile_caption(record: MosaicRecord, row: MapRow) -> str:
    """How much of the positive values of a map lies in the tile of its text, and whether its highest cell does."""
    shares = [share_in_tile(halved(record.grid(row)), tile, record.tiles) for tile in range(record.tiles)]
    own = shares[row.tile]
    if own["share"] is None:
        return say("no positive value")
    others = {tile: found["share"] or 0.0 for tile, found in enumerate(shares) if tile != row.tile}
    most = max(others, key=lambda tile: others[tile])
    share = say("{share} in its tile", share=percent(own["share"]))
    if others[most] > own["share"]:
        share = say(
            "{share} in its tile (more in the {place} one: {most})",
            share=percent(own["share"]),
            place=where(most, record.tiles),
            most=percent(others[most]),
        )
    cell = say("highest cell inside") if (own["pointing"] or 0) >= HALF else say("highest cell outside")
    return f"{share}, {cell}"


def _problems(record: MosaicRecord) -> Section:
    problems = record.about["problems"]
    table = PROBLEMS.table(say("Explanations that failed; they are not part of any number"), problems)
    return Section("Mosaics that could not be explained", tables=(table,) if problems else ())
