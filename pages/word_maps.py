"""Maps of single words: which word of a text looks where, two ways, and how far they agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from core.applications.word_maps_record import (
    FOLDER,
    INTERACTION,
    REST,
    SHARED,
    WAYS,
    WordMapsRecord,
    grid,
    load,
    of_run,
)
from core.datasets import Picture
from core.evaluation.word_maps import word_maps_table
from core.reporting.charts import method_title
from core.reporting.word_maps import HOW, UNIT, measures_told, reading, word_rows
from core.runs import Run
from pages.parts import entry, maps, state
from pages.parts.words import coloured_words, empty, number, plain, problems_shown, short, tab

RUNS = "It runs after an audit if the stage `word_maps` is planned."
ACROSS = 4


def page() -> None:
    """The whole page for the current run."""
    run = state.current_run()
    if run is None:
        empty("Maps of words appear here once an audit has run.", "pages/audit.py", "Plan an audit")
        return
    record = of_run(run)
    if record is None:
        empty(f"This audit made no maps of single words. {RUNS}", "pages/audit.py", "Plan an audit with them")
        return
    about = record.about
    left_out = f", {about['pictures_left_out']} of the audit left out" if about["pictures_left_out"] else ""
    shared = method_title(about["method"])
    st.caption(plain(f"{about['pictures']} pictures{left_out}; {about['model']}; shared map: {shared}."))
    tabs = st.tabs([tab("Pictures"), tab("Measures"), tab("What failed")])
    with tabs[0]:
        pictures(run, record)
    with tabs[1]:
        measures(run)
    with tabs[2]:
        problems(record)


def pictures(run: Run, record: WordMapsRecord) -> None:
    """One picture: every word's map by one of the two ways, and what each word owns."""
    if not record.images:
        st.text("No picture has maps of words; see what failed.")
        return
    left, right = st.columns((3, 2), vertical_alignment="bottom")
    image = left.selectbox(
        "Picture", list(record.images), format_func=record.images.__getitem__, key=f"word-picture-{run.id}"
    )
    way = right.segmented_control(
        "Way", list(WAYS), default=INTERACTION, required=True, key=f"word-way-{run.id}",
        format_func=lambda name: tab(WAYS[name]),
    )  # fmt: skip
    picture = maps.picture_of(run, image)
    if picture is None:
        st.error("This picture is no longer in the data set.")
        return
    owned = word_rows(record, image)
    st.caption("What each word owns of the picture's map; the share is told where you point at it.")
    coloured_words(owned["word"].tolist(), owned[way].fillna(0.0).tolist())
    rows = list(record.of(image, way).itertuples())
    chosen = st.multiselect(
        "Words", range(len(rows)), key=f"word-words-{run.id}-{image}-{way}",
        default=[at for at, row in enumerate(rows) if not row.function and row.place != REST],
        format_func=lambda at: short(_name(rows[at]), 40),
    )  # fmt: skip
    share = dict(zip(owned["place"], owned[way], strict=True))
    cards: list[Any] = [None, *(rows[at] for at in chosen)]
    for begin in range(0, len(cards), ACROSS):
        for column, card in zip(st.columns(ACROSS), cards[begin : begin + ACROSS], strict=False):
            with column:
                if card is None:
                    st.markdown("**Picture**")
                    maps.original(run, picture)
                else:
                    one_word(run, record, picture, card, share.get(card.place))
    told = record.texts[record.texts["image"] == image].iloc[0]
    st.caption(
        plain(
            f"Cosine of picture and text {number(told['score'])}; explained without pairs {number(told['r2'])}, with "
            f"pairs {number(told['r2_pairs'])} of the variance over unseen coalitions."
        )
    )
    st.dataframe(
        pd.DataFrame(
            {
                "Word": owned["word"],
                "Function word": owned["function"].astype(bool),
                "Kept, adds": owned["effect"].round(4),
                "Of the interactions": owned[INTERACTION].round(3),
                "Of the shared map": owned[SHARED].round(3),
            }
        ),
        hide_index=True,
    )


def one_word(run: Run, record: WordMapsRecord, picture: Picture, row: Any, share: float | None) -> None:
    """One word's map with its scale and what it owns."""
    name = _name(row)
    st.markdown(f"**{plain(short(name, 24))}**")
    values = grid(row)
    maps.heat(
        run, picture, values, signed=True, opacity=0.55, smooth=False,
        alt=f"{WAYS[row.way]}: map of {name} on {picture.name}",
    )  # fmt: skip
    maps.scale(values, signed=True, unit=UNIT if row.way == INTERACTION else str(record.about["unit"]))
    if share is not None and np.isfinite(share):
        st.caption(plain(f"{share:.0%} of what all words own"))


def measures(run: Run) -> None:
    """How much pairs explain, what function words own, and how far the two ways agree."""
    table = _table(str(run.folder), run.plan.digest)
    for sentence in reading(table):
        st.text(sentence)
    st.dataframe(
        pd.DataFrame(measures_told(table), columns=["Measure", "Mean over pictures (95 % interval)", "Pictures"]),
        hide_index=True,
    )
    for sentence in HOW:
        st.caption(plain(sentence))


def problems(record: WordMapsRecord) -> None:
    """Pictures that gave nothing."""
    found = record.about["problems"]
    if not found:
        st.text("Every picture that was asked for has its maps.")
        return
    st.dataframe(pd.DataFrame(found, columns=["Picture", "Reason"]), hide_index=True)


def _name(row: Any) -> str:
    return "(without any word)" if row.place == REST else str(row.word)


@st.cache_resource(max_entries=40, show_spinner="Reading …")
def _table(folder: str, plan: str) -> pd.DataFrame:
    run = Run(Path(folder))
    return word_maps_table(load(run.folder / FOLDER))


entry.through_app("pages/word_maps.py")
st.title("Word maps")
with problems_shown():
    page()
