"""The sweep over layers: drops and increases by block, and the maps and words of single images."""

from __future__ import annotations

import streamlit as st

from core.applications.layer_sweep.measures import by_block, drops_chart, grid
from core.applications.layer_sweep.record import SIDES, BlockRow, LayerSweepRecord, of_run
from core.applications.layer_sweep.tables import DROPS, INCREASES, block_title, word_rows, words
from core.applications.sampling import images_of
from core.runs import Run
from core.runs.rows import typed
from pages.parts import application_page, charts, image_choice, maps, tables
from pages.parts.words import plain, tab


def page(run: Run, record: LayerSweepRecord) -> None:
    """The comparison of the blocks, and single images."""
    about = record.about
    st.caption(plain(f"{images_of(about)}; {about['model']}; own text: {about['own']}."))
    for side, reason in about["reasons"].items():
        st.text(f"The {SIDES[side]} was not measured: {reason}.")
    tabs = st.tabs([tab("Blocks"), tab("Images and words")])
    with tabs[0]:
        comparison(run, record)
    with tabs[1]:
        images(run, record)


def comparison(run: Run, record: LayerSweepRecord) -> None:
    """What each block's map keeps of the score, beside random maps of the same values."""
    application_page.in_words(run, "layer_sweep")
    charts.show(drops_chart(record), "Drop of the cosine by block, with the map and with random maps of its values")
    table = by_block(record)
    tables.show(DROPS, table)
    tables.show(INCREASES, table)
    st.caption(
        "Only what a map highlights is left: the image fades where it is low, and a text keeps the words above the "
        "median. The random maps have the same values in random positions."
    )


def images(run: Run, record: LayerSweepRecord) -> None:
    """One image: its map and its words at every block."""
    entry = image_choice.choose(run, record.images, f"layer-sweep-image-{run.id}")
    if entry is None:
        return
    image = entry.id
    rows = list(typed(record.of(image, "image"), BlockRow))
    if rows:
        st.text(rows[0].text)
        across = st.columns(1 + len(rows), gap="small")
        with across[0]:
            st.markdown("**Image**")
            maps.original(run, entry)
        for column, row in zip(across[1:], rows, strict=True):
            title, values = block_title(row.block, row.default, head=True), grid(row)
            with column:
                st.markdown(f"**{plain(title)}**")
                maps.heat(run, entry, values, signed=False, opacity=0.55, smooth=True, alt=f"{title} of {entry.name}")
                maps.scale(values, signed=False, unit="nats per cell")
    shown = word_rows(record, image)
    if shown:
        st.subheader("Words", anchor=False)
        tables.show(words(record.about["blocks"]["text"], record.about["default"]["text"]), shown)


application_page.show("layer_sweep", of_run, page)
