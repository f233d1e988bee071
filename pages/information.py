"""Retained information: own against wrong texts, the spread over seeds, and the maps and words behind it."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from core.applications.information.measures import (
    common_range,
    grid,
    own_against_wrong,
    pairs_chart,
    seed_table,
    shared_overlay,
)
from core.applications.information.record import KINDS, SIDES, InformationRecord, MapRow, of_run
from core.applications.information.tables import OWN_AND_WRONG, SEEDS, token_rows, tokens
from core.applications.sampling import images_of
from core.content.heat import Range, bar_ends, colour_bar, fit, geometry_of, overlay, value_range
from core.content.words import plural, shorten
from core.datasets import DatasetImage
from core.runs import Run
from core.runs.rows import typed
from pages.parts import application_page, charts, image_choice, maps, state, tables
from pages.parts.application_page import recorded
from pages.parts.words import coloured_words, figure, plain, tab


def page(run: Run, record: InformationRecord) -> None:
    """The comparison, single images and the seeds."""
    about = record.about
    seeds = plural(len(about["seeds"]), "seed")
    st.caption(plain(f"{images_of(about)}; {seeds}; {about['model']}; own text: {about['own']}."))
    tabs = st.tabs([tab("Own and wrong texts"), tab("Images and words"), tab("Seeds")])
    with tabs[0]:
        comparison(run, record)
    with tabs[1]:
        images(run, record)
    with tabs[2]:
        seed_spread(run)


def comparison(run: Run, record: InformationRecord) -> None:
    """The information retained for own and wrong texts, in words, as a chart and as a table."""
    frame, _ = _tables(str(run.folder), run.plan.digest)
    application_page.in_words(run, "information")
    side, price = _choice(run, record, "compared")
    title = f"Information retained for own and wrong texts in nats, {SIDES[side]}, weight β = {price:g}"
    charts.show(pairs_chart(record, side, price), title)
    part = frame[(frame["side"] == side) & (frame["price"] == price)]
    tables.show(OWN_AND_WRONG, part)
    st.caption(
        "A wrong text can retain as much: the mask keeps whatever raises the cosine. Compare nats only at the same "
        "weight β."
    )


def images(run: Run, record: InformationRecord) -> None:
    """One image: maps of its own and a wrong text on one scale, their spread, and the words of its own text."""
    left, right = st.columns((3, 2), vertical_alignment="bottom")
    entry = image_choice.choose(run, record.images, f"information-image-{run.id}", left)
    price = right.selectbox(
        "Weight β",
        record.prices,
        index=len(record.prices) - 1,
        format_func=lambda value: f"{value:g}",
        key=f"information-price-{run.id}",
    )
    if entry is None:
        return
    image = entry.id
    rows = list(typed(record.of(image, "image", price), MapRow))
    wrong = rows[1]
    if len(rows) > 2:
        texts = {at: rows[at].text for at in range(1, len(rows))}
        at = st.selectbox("Wrong text", list(texts), format_func=lambda number: shorten(texts[number], 100))
        wrong = rows[at]
    st.text(f"Own: {rows[0].text}")
    st.text(f"Wrong: {wrong.text}")
    _row_of_maps(run, entry, rows[0], wrong)
    if "text" not in record.sides:
        st.text(f"Words were not measured: {record.about['text_reason']}.")
        return
    st.subheader("Words", anchor=False)
    for row in typed(record.of(image, "text", price), MapRow):
        if row.text in (rows[0].text, wrong.text):
            st.caption(plain(f"{KINDS[row.kind].capitalize()}, nats per token, mean over seeds"))
            coloured_words(list(row.tokens), [float(value) for value in row.map])
    tables.show(tokens(record.prices), token_rows(record, image))


def seed_spread(run: Run) -> None:
    """The spread over seeds, and the agreement with the deterministic method."""
    _, table = _tables(str(run.folder), run.plan.digest)
    tables.show(SEEDS, table)
    st.caption("The spread is the standard deviation of the nats of a pair over seeds, relative to their mean.")


def _choice(run: Run, record: InformationRecord, key: str) -> tuple[str, float]:
    left, right = st.columns(2)
    side = left.selectbox("Side", record.sides, format_func=SIDES.__getitem__, key=f"{key}-side-{run.id}")
    last = len(record.prices) - 1
    price = right.selectbox(
        "Weight β",
        record.prices,
        index=last,
        format_func=lambda one: f"{one:g}",
        key=f"{key}-price-{run.id}",
    )
    return side, price


def _row_of_maps(run: Run, image: DatasetImage, own: Any, wrong: Any) -> None:
    first, second = grid(own, "map"), grid(wrong, "map")
    shared = common_range([first, second])
    across = st.columns(6, gap="small")
    with across[0]:
        st.markdown("**Image**")
        maps.original(run, image)
    panels: tuple[tuple[str, NDArray[Any], Range | None, bool, str], ...] = (
        ("Own text", first, shared, False, "nats"),
        ("Wrong text", second, shared, False, "nats, same scale"),
        ("Own minus wrong", first - second, None, True, "nats"),
        ("Spread over seeds", grid(own, "spread"), None, False, "nats, own text"),
        ("Narrowing", grid(own, "nib"), None, True, "share of the cosine"),
    )
    small = fit(maps.pixels(state.dataset_of(run), image), maps.SIDE)
    geometry = geometry_of(run, image.width, image.height)
    for column, (title, values, ends, signed, unit) in zip(across[1:], panels, strict=True):
        with column:
            st.markdown(f"**{plain(title)}**")
            painted = (
                overlay(small, values, geometry, signed=signed)
                if ends is None
                else shared_overlay(small, values, geometry, ends)
            )
            st.image(maps.encoded(painted, "JPEG"), width="stretch", alt=f"{title} of {image.name}")
            low, high = bar_ends(value_range(values), signed=signed) if ends is None else (ends.low, ends.high)
            bar = maps.encoded(colour_bar(420, 12, signed=signed), "PNG")
            st.image(bar, width="stretch", alt=f"Colour scale from {figure(low)} to {figure(high)}")
            st.caption(plain(f"{figure(low)} to {figure(high)} {unit}"))


@st.cache_resource(max_entries=4, show_spinner="Comparing …")
def _tables(folder: str, plan: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    record = recorded(of_run, folder)
    return own_against_wrong(record), seed_table(record)


application_page.show("information", of_run, page)
