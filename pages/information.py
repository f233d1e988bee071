"""Information a pair keeps: own against wrong texts, how far seeds agree, and the maps and words behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from core.applications.information_record import FOLDER, KINDS, SIDES, InformationRecord, load, of_run
from core.datasets import Picture
from core.reporting.heat import Range, bar_ends, colour_bar, fit, geometry_of, overlay, value_range
from core.reporting.information_tables import (
    MEASURES,
    common_range,
    grid,
    own_against_wrong,
    pairs_chart,
    reading,
    seed_table,
    shared_overlay,
)
from core.runs import Run
from pages.parts import charts, entry, maps, state
from pages.parts.words import coloured_words, empty, number, plain, problems_shown, short, tab

HOW = "It runs after an audit if the stage `information` is planned."


def page() -> None:
    """The whole page for the current run."""
    run = state.current_run()
    if run is None:
        empty("Information appears here once an audit has run.", "pages/audit.py", "Plan an audit")
        return
    record = of_run(run)
    if record is None:
        empty(f"This audit did not measure information. {HOW}", "pages/audit.py", "Plan an audit with it")
        return
    about = record.about
    left_out = f", {about['pictures_left_out']} of the audit left out" if about["pictures_left_out"] else ""
    seeds = len(about["seeds"])
    st.caption(
        plain(f"{about['pictures']} pictures{left_out}; {seeds} seeds; {about['model']}; own text: {about['own']}.")
    )
    tabs = st.tabs([tab("Own and wrong texts"), tab("Pictures and words"), tab("Seeds")])
    with tabs[0]:
        comparison(run, record)
    with tabs[1]:
        pictures(run, record)
    with tabs[2]:
        seed_spread(run)


def comparison(run: Run, record: InformationRecord) -> None:
    """What own texts keep beyond wrong ones, in words, as a chart and as a table."""
    frame, _ = _tables(str(run.folder), run.plan.digest)
    for sentence in reading(frame):
        st.text(sentence)
    side, price = _choice(run, record, "compared")
    title = f"Nats kept by own and wrong texts, {SIDES[side]}, price {price:g}"
    charts.show(pairs_chart(record, side, price), title)
    part = frame[(frame["side"] == side) & (frame["price"] == price)]
    st.dataframe(
        pd.DataFrame(
            {
                "Measure": [MEASURES[name][0] for name in part["measure"]],
                "Own": part["own"].map(lambda value: f"{value:.4g}"),
                "Wrong": part["wrong"].map(lambda value: f"{value:.4g}"),
                "Own minus wrong (95 % interval)": [number(row.value, row.low, row.high) for row in part.itertuples()],
                "Own has more": part["share"].map(lambda value: f"{value:.0%}"),
                "n": part["n"],
            }
        ),
        hide_index=True,
    )
    st.caption(
        "A wrong text can keep as much: the mask searches for whatever raises the cosine. Compare nats at one price "
        "only."
    )


def pictures(run: Run, record: InformationRecord) -> None:
    """One picture: maps of its own and a wrong text on one scale, their spread, and the words of its own text."""
    left, right = st.columns((3, 2), vertical_alignment="bottom")
    image = left.selectbox(
        "Picture", list(record.images), format_func=record.images.__getitem__, key=f"information-picture-{run.id}"
    )
    price = right.selectbox(
        "Price of information",
        record.prices,
        index=len(record.prices) - 1,
        format_func=lambda value: f"{value:g}",
        key=f"information-price-{run.id}",
    )
    picture = maps.picture_of(run, image)
    if picture is None:
        st.error("This picture is no longer in the data set.")
        return
    rows = list(record.of(image, "image", price).itertuples())
    wrong = rows[1]
    if len(rows) > 2:
        texts = {at: rows[at].text for at in range(1, len(rows))}
        at = st.selectbox("Wrong text", list(texts), format_func=lambda place: short(texts[place], 100))
        wrong = rows[at]
    st.text(f"Own: {rows[0].text}")
    st.text(f"Wrong: {wrong.text}")
    _row_of_maps(run, picture, rows[0], wrong)
    if "text" not in record.sides:
        st.text(f"Words were not measured: {record.about['text_reason']}.")
        return
    st.subheader("Words", anchor=False)
    for row in record.of(image, "text", price).itertuples():
        if row.text in (rows[0].text, wrong.text):
            st.caption(plain(f"{KINDS[row.kind].capitalize()}, nats a token, mean over seeds"))
            coloured_words(list(row.tokens), [float(value) for value in row.map])
    own = next(record.of(image, "text", price).itertuples())
    st.dataframe(
        pd.DataFrame(
            {
                "Token of the own text": list(own.tokens),
                "Nats": np.round(np.asarray(own.map, float), 3),
                "Spread over seeds": np.round(np.asarray(own.spread, float), 3),
                "Narrowing bottleneck": np.round(np.asarray(own.nib, float), 4),
            }
        ),
        hide_index=True,
    )


def seed_spread(run: Run) -> None:
    """How far seeds agree, and the deterministic partner."""
    _, table = _tables(str(run.folder), run.plan.digest)
    st.dataframe(
        pd.DataFrame(
            {
                "Side": table["side"].map(SIDES),
                "Price": table["price"],
                **{
                    title: [
                        number(*values)
                        for values in table[[name, f"{name}_low", f"{name}_high"]].itertuples(index=False)
                    ]
                    for name, title in (
                        ("total", "Spread of nats over seeds (95 % interval)"),
                        ("map", "Rank correlation of two seeds' maps"),
                        ("nib", "Rank correlation with the narrowing bottleneck"),
                    )
                },
                "n": table["map_n"],
            }
        ),
        hide_index=True,
    )
    st.caption("The spread is the standard deviation of a pair's nats over seeds, relative to their mean.")


def _choice(run: Run, record: InformationRecord, key: str) -> tuple[str, float]:
    left, right = st.columns(2)
    side = left.selectbox("Side", record.sides, format_func=SIDES.__getitem__, key=f"{key}-side-{run.id}")
    last = len(record.prices) - 1
    price = right.selectbox(
        "Price of information",
        record.prices,
        index=last,
        format_func=lambda one: f"{one:g}",
        key=f"{key}-price-{run.id}",
    )
    return side, price


def _row_of_maps(run: Run, picture: Picture, own: Any, wrong: Any) -> None:
    first, second = grid(own, "map"), grid(wrong, "map")
    shared = common_range([first, second])
    across = st.columns(6, gap="small")
    with across[0]:
        st.markdown("**Picture**")
        maps.original(run, picture)
    shown: tuple[tuple[str, NDArray[Any], Range | None, bool, str], ...] = (
        ("Own text", first, shared, False, "nats"),
        ("Wrong text", second, shared, False, "nats, same scale"),
        ("Own minus wrong", first - second, None, True, "nats"),
        ("Spread over seeds", grid(own, "spread"), None, False, "nats, own text"),
        ("Narrowing", grid(own, "nib"), None, True, "share of the cosine"),
    )
    small = fit(state.dataset_of(run).open(picture), maps.SIDE)
    geometry = geometry_of(run, picture.width, picture.height)
    for place, (title, values, found, signed, unit) in zip(across[1:], shown, strict=True):
        with place:
            st.markdown(f"**{plain(title)}**")
            painted = (
                overlay(small, values, geometry, signed=signed)
                if found is None
                else shared_overlay(small, values, geometry, found)
            )
            st.image(maps.encoded(painted, "JPEG"), width="stretch", alt=f"{title} of {picture.name}")
            low, high = bar_ends(value_range(values), signed=signed) if found is None else (found.low, found.high)
            bar = maps.encoded(colour_bar(420, 12, signed=signed), "PNG")
            st.image(bar, width="stretch", alt=f"Colour scale from {low:.3g} to {high:.3g}")
            st.caption(plain(f"{low:.3g} to {high:.3g} {unit}"))


@st.cache_resource(max_entries=4, show_spinner="Comparing …")
def _tables(folder: str, plan: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    run = Run(Path(folder))
    record = load(run.folder / FOLDER)
    return own_against_wrong(record), seed_table(record)


entry.through_app("pages/information.py")
st.title("Information")
with problems_shown():
    page()
