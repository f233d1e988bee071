"""Word maps: which region of an image each word of a text depends on, computed in two ways, and their agreement."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from core.applications.sampling import images_of
from core.applications.word_maps.chapter import HOW, UNIT, word_rows
from core.applications.word_maps.measures import word_maps_table
from core.applications.word_maps.record import (
    INTERACTION,
    REST,
    WAYS,
    MapRow,
    WordMapsRecord,
    grid,
    of_run,
)
from core.applications.word_maps.tables import MEASURED, PROBLEMS, WORDS
from core.content.words import shorten
from core.datasets import DatasetImage
from core.languages import typeset
from core.rules.parts import title_of
from core.runs import Run
from core.runs.rows import typed
from pages.parts import application_page, image_choice, maps, tables
from pages.parts.application_page import recorded
from pages.parts.words import coloured_words, number, plain, tab

ACROSS = 4


def page(run: Run, record: WordMapsRecord) -> None:
    """The images, the measures and what failed."""
    about = record.about
    shared = title_of(about["method"])
    st.caption(plain(f"{images_of(about)}; {about['model']}; shared map: {shared}."))
    tabs = st.tabs([tab("Images"), tab("Measures"), tab("Failures")])
    with tabs[0]:
        images(run, record)
    with tabs[1]:
        measures(run)
    with tabs[2]:
        application_page.failures(PROBLEMS, about["problems"])


def images(run: Run, record: WordMapsRecord) -> None:
    """One image: the map of every word by one of the two computations, and the share of each word."""
    if not record.images:
        st.text("No image has word maps; see the failures.")
        return
    left, right = st.columns((3, 2), vertical_alignment="bottom")
    entry = image_choice.choose(run, record.images, f"word-image-{run.id}", left)
    way = right.segmented_control(
        "Computed from", list(WAYS), default=INTERACTION, required=True, key=f"word-way-{run.id}",
        format_func=lambda name: tab(WAYS[name]),
    )  # fmt: skip
    if entry is None:
        return
    image = entry.id
    shares = word_rows(record, image)
    st.caption("Share of the attribution that each word receives; point at a word to read the value.")
    coloured_words(shares["word"].tolist(), shares[way].fillna(0.0).tolist())
    rows = list(typed(record.of(image, way), MapRow))
    chosen = st.multiselect(
        "Words", range(len(rows)), key=f"word-words-{run.id}-{image}-{way}",
        default=[at for at, row in enumerate(rows) if not row.function and row.place != REST],
        format_func=lambda at: shorten(_name(rows[at]), 40),
    )  # fmt: skip
    share = dict(zip(shares["place"], shares[way], strict=True))
    cards: list[Any] = [None, *(rows[at] for at in chosen)]
    for begin in range(0, len(cards), ACROSS):
        for column, card in zip(st.columns(ACROSS), cards[begin : begin + ACROSS], strict=False):
            with column:
                if card is None:
                    st.markdown("**Image**")
                    maps.original(run, entry)
                else:
                    one_word(run, record, entry, card, share.get(card.place))
    text = record.texts[record.texts["image"] == image].iloc[0]
    st.caption(
        plain(
            f"Cosine of image and text {number(text['score'])}. Variance over held-out coalitions explained without "
            f"pairs {number(text['r2'])}, with pairs {number(text['r2_pairs'])}."
        )
    )
    tables.show(WORDS, shares)


def one_word(run: Run, record: WordMapsRecord, image: DatasetImage, row: MapRow, share: float | None) -> None:
    """The map of one word with its scale and its share."""
    name = _name(row)
    st.markdown(f"**{plain(shorten(name, 24))}**")
    values = grid(row)
    maps.heat(
        run, image, values, signed=True, opacity=0.55, smooth=False,
        alt=f"{WAYS[row.way]}: map of {name} on {image.name}",
    )  # fmt: skip
    maps.scale(values, signed=True, unit=UNIT if row.way == INTERACTION else str(record.about["unit"]))
    if share is not None and np.isfinite(share):
        st.caption(plain(typeset(f"{share:.0%} of the attribution of all words")))


def measures(run: Run) -> None:
    """How much pairs explain, the share of function words, and the agreement of the two computations."""
    table = _table(str(run.folder), run.plan.digest)
    application_page.in_words(run, "word_maps")
    tables.show(MEASURED, table)
    for sentence in HOW:
        st.caption(plain(sentence))


def _name(row: MapRow) -> str:
    return "(without any word)" if row.place == REST else str(row.word)


@st.cache_resource(max_entries=40, show_spinner="Reading …")
def _table(folder: str, plan: str) -> pd.DataFrame:
    return word_maps_table(recorded(of_run, folder))


application_page.show("word_maps", of_run, page)
