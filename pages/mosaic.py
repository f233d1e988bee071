"""Mosaics of the audit's pictures: which methods point at the picture that a text belongs to, and the maps."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from core.applications.mosaic_record import FOLDER, MosaicRecord, load, of_run
from core.evaluation.mosaic import mosaic_table
from core.reporting.charts import method_title
from core.reporting.heat import bar_ends, colour_bar, overlay, value_range
from core.reporting.mosaic import HOW, SQUARE, mosaic_chart, picture_of, reading, told, where
from core.reporting.words import number
from core.runs import Run
from pages.parts import charts, entry, state
from pages.parts.maps import encoded
from pages.parts.words import empty, plain, problems_shown, short, tab

RUNS = "It runs after an audit if the stage `mosaic` is planned."
ACROSS = 4


def page() -> None:
    """The whole page for the current run."""
    run = state.current_run()
    if run is None:
        empty("Mosaics appear here once an audit has run.", "pages/audit.py", "Plan an audit")
        return
    record = of_run(run)
    if record is None:
        empty(f"This audit made no mosaics. {RUNS}", "pages/audit.py", "Plan an audit with it")
        return
    about = record.about
    effort = about["options"]["effort"]
    st.caption(plain(f"{about['mosaics']} mosaics of {about['tiles']} pictures; {about['model']}; {effort} settings."))
    tabs = st.tabs([tab("Methods"), tab("Maps"), tab("What failed")])
    with tabs[0]:
        methods(run, record)
    with tabs[1]:
        maps(run, record)
    with tabs[2]:
        problems(record)


def methods(run: Run, record: MosaicRecord) -> None:
    """Every method's share in the right tile, beside chance."""
    table = _table(str(run.folder), run.plan.digest)
    if table.empty:
        st.text("No method gave a map of a mosaic.")
        return
    st.text(reading(record, table))
    charts.show(mosaic_chart(record, table), "Share of each method's maps in the right tile, with interval and chance")
    shown = pd.DataFrame(
        [
            {
                "Method": method_title(row.method),
                **dict(zip(("In its tile", "Mass", "Highest cell"), told(row), strict=True)),
                "p": number(row.p, 3),
                "Mosaics": int(row.n),
            }
            for row in table.itertuples()
        ]
    )
    st.dataframe(shown, hide_index=True)
    for sentence in HOW:
        st.caption(plain(sentence))


def maps(run: Run, record: MosaicRecord) -> None:
    """One mosaic with every method's map for the text of one of its tiles."""
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
        format_func=lambda at: f"{where(at, record.tiles)}: {short(texts[at])}",
    )  # fmt: skip
    made = picture_of(run, record, chosen)
    if made is None:
        st.text("A picture of this mosaic isn't in the data set any more.")
        return
    places = st.columns(ACROSS)
    places[0].image(encoded(made, "PNG"), alt=f"Mosaic {chosen + 1}", caption="Mosaic")
    for at, row in enumerate(part[part["tile"] == tile].itertuples(), start=1):
        values = record.grid(row)
        low, high = bar_ends(value_range(values), signed=False)
        title = method_title(row.method)
        with places[at % ACROSS]:
            st.image(encoded(overlay(made, values, SQUARE, smooth=False), "PNG"), alt=f"{title} of the mosaic")
            st.image(encoded(colour_bar(), "PNG"), alt=f"Colour scale from {low:.3g} to {high:.3g}")
            st.caption(plain(f"{title}: {low:.3g} to {high:.3g}"))


def problems(record: MosaicRecord) -> None:
    """Explanations that gave nothing."""
    found = record.about["problems"]
    if not found:
        st.text("Every explanation that was asked for was made.")
        return
    frame = pd.DataFrame(found, columns=["Method", "Mosaic", "Reason"])
    st.dataframe(frame.assign(Method=frame["Method"].map(method_title), Mosaic=frame["Mosaic"] + 1), hide_index=True)


@st.cache_resource(max_entries=40, show_spinner="Reading …")
def _table(folder: str, plan: str) -> pd.DataFrame:
    run = Run(Path(folder))
    return mosaic_table(load(run.folder / FOLDER))


entry.through_app("pages/mosaic.py")
st.title("Mosaics")
with problems_shown():
    page()
