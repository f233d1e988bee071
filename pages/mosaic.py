"""Mosaics of the images of the audit: which methods mark the tile that a text belongs to, and the maps."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.applications.mosaic.chapter import HOW, SQUARE, image_of, is_signed, mosaic_chart, tile_caption, where
from core.applications.mosaic.measures import mosaic_table
from core.applications.mosaic.record import MosaicRecord, of_run
from core.applications.mosaic.tables import METHODS, PROBLEMS
from core.content.heat import bar_ends, colour_bar, overlay, value_range
from core.content.words import plural, shorten
from core.rules.parts import title_of
from core.runs import Run
from pages.parts import application_page, charts, tables
from pages.parts.application_page import recorded
from pages.parts.maps import encoded
from pages.parts.words import figure, plain, tab

ACROSS = 4


def page(run: Run, record: MosaicRecord) -> None:
    """The methods, the maps and what failed."""
    about = record.about
    effort = about["options"]["effort"]
    st.caption(
        plain(f"{plural(about['mosaics'], 'mosaic')} of {about['tiles']} images; {about['model']}; {effort} settings.")
    )
    tabs = st.tabs([tab("Methods"), tab("Maps"), tab("Failures")])
    with tabs[0]:
        methods(run, record)
    with tabs[1]:
        maps(run, record)
    with tabs[2]:
        application_page.failures(PROBLEMS, about["problems"])


def methods(run: Run, record: MosaicRecord) -> None:
    """Every method's share in the correct tile, beside chance."""
    table = _table(str(run.folder), run.plan.digest)
    if table.empty:
        st.text("No method computed a map of a mosaic.")
        return
    application_page.in_words(run, "mosaic")
    charts.show(mosaic_chart(record, table), "Share of the maps of each method in the correct tile")
    tables.show(METHODS, table)
    for sentence in HOW:
        st.caption(plain(sentence))


def maps(run: Run, record: MosaicRecord) -> None:
    """One mosaic with the map of every method for the text of one of its tiles."""
    numbers = sorted(set(record.maps["mosaic"]))
    if not numbers:
        st.text("No mosaic was explained.")
        return
    left, right = st.columns(2)
    chosen = left.selectbox("Mosaic", numbers, format_func=lambda at: str(at + 1), key=f"mosaic-number-{run.id}")
    part = record.maps[record.maps["mosaic"] == chosen]
    texts = part.drop_duplicates("tile").set_index("tile")["text"].to_dict()
    tile = right.selectbox(
        "Text of the tile", sorted(texts), key=f"mosaic-tile-{run.id}-{chosen}",
        format_func=lambda at: f"{where(at, record.tiles)}: {shorten(texts[at])}",
    )  # fmt: skip
    image = image_of(run, record, chosen)
    if image is None:
        st.text("An image of this mosaic is no longer in the dataset.")
        return
    columns = st.columns(ACROSS)
    columns[0].image(encoded(image, "PNG"), alt=f"Mosaic {chosen + 1}", caption="Mosaic")
    for at, row in enumerate(part[part["tile"] == tile].itertuples(), start=1):
        values = record.grid(row)
        signed, title = is_signed(row.method), title_of(row.method)
        extent = value_range(values)
        low, high = bar_ends(extent, signed=signed)
        with columns[at % ACROSS]:
            st.image(
                encoded(overlay(image, values, SQUARE, signed=signed, smooth=False), "PNG"),
                alt=f"{title} of the mosaic",
            )
            st.image(
                encoded(colour_bar(signed=signed), "PNG"), alt=f"Colour scale from {figure(low)} to {figure(high)}"
            )
            st.caption(plain(f"{title}: {figure(extent.low)} to {figure(extent.high)}; {tile_caption(record, row)}"))


@st.cache_resource(max_entries=40, show_spinner="Reading …")
def _table(folder: str, plan: str) -> pd.DataFrame:
    return mosaic_table(recorded(of_run, folder))


application_page.show("mosaic", of_run, page)
