"""Semantic priors: what each region of a picture brings to a text or to the meaning of a caption, and at what cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from core.applications.priors_record import PRIORS, VALUES, WAYS, PriorsRecord, load
from core.reporting.heat import overlay
from core.reporting.priors import (
    COST_WORDS,
    FOLDER,
    RESULT_WORDS,
    comparison,
    comparison_chart,
    differences,
    reading,
    region_lines,
    row_geometry,
    row_title,
)
from core.runs import Run
from pages.parts import charts, entry, maps, state
from pages.parts.words import empty, number, plain, problems_shown, short, tab

HOW = "It runs after an audit if the stage `priors` is planned."


def page() -> None:
    """The whole page for the current run."""
    run = state.current_run()
    if run is None:
        empty("Regions appear here once an audit has run.", "pages/audit.py", "Plan an audit")
        return
    folder = run.folder / FOLDER
    if not folder.is_dir():
        empty(f"This audit has no semantic priors. {HOW}", "pages/audit.py", "Plan an audit with them")
        return
    record = load(folder)
    if record.maps.empty:
        st.info("The stage ran but found nothing to explain: the pictures have no text.")
        return
    about = record.about
    writer = f" Captions were written by {about['captioner']}." if about["captioner"] else ""
    left_out = f", {about['pictures_left_out']} of the audit left out" if about["pictures_left_out"] else ""
    st.caption(plain(f"{about['pictures']} pictures{left_out}; {about['model']}.{writer}"))
    tabs = st.tabs([tab("Pictures"), tab("Cost and result"), tab("Captions")])
    with tabs[0]:
        pictures(run, record)
    with tabs[1]:
        costs(run, record)
    with tabs[2]:
        captions(record)


def pictures(run: Run, record: PriorsRecord) -> None:
    """One picture and text: a map for each way to cut the picture and to explain."""
    one, two, three = st.columns((3, 3, 4), vertical_alignment="bottom")
    present = [value for value in VALUES if value in set(record.maps["value"])]
    value = one.selectbox("What is explained", present, format_func=VALUES.__getitem__, key=f"value-{run.id}")
    rows = record.of_value(value)
    names = dict(rows[["image", "image_name"]].drop_duplicates().itertuples(index=False, name=None))
    image = two.selectbox("Picture", list(names), format_func=names.__getitem__, key=f"picture-{run.id}")
    rows = rows[rows["image"] == image]
    texts = list(dict.fromkeys(rows["text"]))
    text = three.selectbox("Text", texts, format_func=lambda words: short(words, 80), key=f"text-{run.id}-{value}")
    rows = rows[rows["text"] == text]
    picture = maps.picture_of(run, image)
    if picture is None:
        st.error("This picture is no longer in the data set.")
        return
    across = st.columns(min(5, len(rows) + 1), gap="small")
    with across[0]:
        st.markdown("**Picture**")
        maps.original(run, picture)
        first = rows.iloc[0]
        st.caption(f"Hidden {plain(number(first['empty']))}, whole {plain(number(first['full']))}")
    for at, row in enumerate(rows.itertuples(), start=1):
        with across[at % len(across)]:
            one_map(run, record, row, picture)
    tokens = next((row.tokens for row in rows.itertuples() if len(row.tokens)), ())
    if len(tokens):
        st.caption(plain(f"Explained token by token: {' · '.join(tokens)}"))


def one_map(run: Run, record: PriorsRecord, row: Any, picture: Any) -> None:
    """One way's map with its scale and its regions."""
    st.markdown(f"**{plain(PRIORS[row.prior])}**")
    values = np.asarray(row.map, dtype=np.float32).reshape(int(row.rows), int(row.columns))
    geometry = row_geometry(run, record, row, picture)
    shown = overlay(state.dataset_of(run).open(picture), values, geometry, signed=True, smooth=False, side=maps.SIDE)
    alt = f"{row_title(row)} of {picture.name} for the text {row.text}"
    st.image(maps.jpeg(shown), width="stretch", alt=alt)
    maps.scale(values, signed=True, unit=f"{VALUES[row.value]}, {WAYS[row.way]}")
    with st.expander(f"{int(row.regions)} regions"):
        for line in region_lines(row):
            st.text(line)


def costs(run: Run, record: PriorsRecord) -> None:
    """The comparison of cost and result."""
    frame, gaps = _compared(str(run.folder), record.about["pictures"])
    st.text(reading(gaps))
    for value in dict.fromkeys(frame["value"]):
        st.subheader(plain(VALUES[value].capitalize()), anchor=False)
        charts.show(comparison_chart(frame, value), f"Faithfulness of each way to explain the {VALUES[value]}")
        part = frame[frame["value"] == value]
        st.dataframe(
            pd.DataFrame(
                {
                    "How": part["title"],
                    "Regions": part["regions"].round(1),
                    "Picture forwards": part["image_forwards"].round(1),
                    "On its own": part["alone_forwards"].round(1),
                    "Text forwards": part["text_forwards"].round(1),
                    "Decoder forwards": part["decoder_forwards"].round(1),
                    "Faithfulness (95 % interval)": _measured(part, "faithfulness"),
                    "Agreement (95 % interval)": _measured(part, "agreement"),
                    "n": part["n"],
                }
            ),
            hide_index=True,
        )
    st.caption(plain(COST_WORDS))
    st.caption(plain(RESULT_WORDS))


def captions(record: PriorsRecord) -> None:
    """What the captioner says of each coalition."""
    if record.captions.empty:
        st.text("No captions were generated: the audited model writes none and no other was named.")
        return
    names = list(dict.fromkeys(record.captions["image_name"]))
    name = st.selectbox("Picture with captions", names)
    rows = record.captions[record.captions["image_name"] == name]
    for prior, part in rows.groupby("prior", sort=False):
        st.subheader(plain(PRIORS[str(prior)]), anchor=False)
        shown = part.assign(count=part["shown"].str.count("1")).sort_values("count", ascending=False, kind="stable")
        st.dataframe(
            pd.DataFrame(
                {
                    "Regions shown": shown["count"],
                    "Which": shown["shown"],
                    "Caption": shown["caption"],
                    "Meaning kept": shown["meaning"].round(3),
                }
            ),
            hide_index=True,
        )


def _measured(frame: pd.DataFrame, name: str) -> list[str]:
    return [
        number(value, low, high)
        for value, low, high in zip(frame[name], frame[f"{name}_low"], frame[f"{name}_high"], strict=True)
    ]


@st.cache_resource(max_entries=4, show_spinner="Comparing …")
def _compared(folder: str, pictures: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    run = Run(Path(folder))
    record = load(run.folder / FOLDER)
    return comparison(record), differences(record)


entry.through_app("pages/priors.py")
st.title("Semantic priors")
with problems_shown():
    page()
