"""Concepts: type a word, pick its sense, and see at once where the model sees it in every picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from core.applications.concepts_record import FOLDER, ConceptRecord, load
from core.applications.localisation import SHOWN_THRESHOLD, box_of
from core.concepts.relevance import ConceptMap
from core.datasets import Picture
from core.models.geometry import Preprocessing
from core.reporting.concepts import (
    absolute,
    caution,
    concepts_chart,
    rebuilt_words,
    share,
    top_concepts,
    top_groups,
)
from core.runs import Run
from pages.parts import charts, entry, maps, state
from pages.parts.words import empty, number, plain, problems_shown, short

ACROSS = 4
A_PAGE = 12
FIRST_SENSES = 12


def page() -> None:
    """The whole page for the current run."""
    run = state.current_run()
    if run is None:
        empty(
            "Concepts appear here once an audit with the application Concepts has run.",
            "pages/audit.py",
            "Plan an audit",
        )
        return
    record = record_of(run)
    if record is None:
        empty(
            "This audit has no concept maps. Plan one with the application 'Concepts (ConVis)' switched on.",
            "pages/audit.py",
            "Plan an audit",
        )
        return
    about = record.about
    st.caption(
        plain(
            f"{about['concepts']:,} concepts ({about['source']}) · {about['crops']} crops a picture · maps of "
            f"{about['cells']} × {about['cells']}"
        )
    )
    if caution(record):
        st.warning(plain(caution(record)))
    concept = choose(record)
    if concept is not None:
        one_concept(run, record, concept)
    over_all(record)
    one_picture(run, record)


def record_of(run: Run) -> ConceptRecord | None:
    """The run's record, read once until it changes."""
    file = run.folder / FOLDER / "about.json"
    return _record(str(run.folder), file.stat().st_mtime_ns) if file.exists() else None


def choose(record: ConceptRecord) -> int | None:
    """The concept of a typed word, chosen among its senses by the gloss."""
    left, right = st.columns((2, 5), vertical_alignment="bottom")
    # The widget's own key, so that another run's vocabulary is asked the same word.
    first = record.graph.position(str(record.top["concept"].iloc[0])) if len(record.top) else 0
    word = left.text_input("Word", value=record.graph.concepts[first].title, key="concept-word", max_chars=80)
    found = record.graph.senses(word)[:FIRST_SENSES]
    if not found:
        st.info(
            plain(f"No concept of this audit is called {word!r}. Try a more general word, or one of those below."),
            icon=":material/search_off:",
        )
        return None
    with right:
        return st.selectbox("Sense", found, format_func=lambda at: sense(record, at))


def sense(record: ConceptRecord, at: int) -> str:
    """A concept with its gloss, for a list."""
    concept = record.graph.concepts[at]
    below = int(record.graph.sizes[at]) - 1
    more = f" · {below} below it" if below else ""
    return f"{concept.title} ({concept.name}): {short(concept.gloss, 110)}{more}"


def one_concept(run: Run, record: ConceptRecord, concept: int) -> None:
    """The maps of one concept over the pictures, those where it is most present first."""
    chosen = record.graph.concepts[concept]
    st.subheader(plain(chosen.title), anchor=False)
    above = ", ".join(record.graph.concepts[parent].title for parent in record.graph.parents[concept])
    st.caption(plain(f"{chosen.gloss}{f' · a kind of {above}' if above else ''}"))
    values = record.presence[:, concept]
    st.markdown(
        plain(
            f"Anything of this kind is among the top 1 % of all concepts in {values.mean():.1%} of a picture on the "
            f"mean of {len(values)}; by chance it would be {record.chance(concept):.1%}."
        )
    )
    one, two, three = st.columns((3, 3, 2), vertical_alignment="bottom")
    opacity = one.slider("Strength of the colour", 0.0, 1.0, 0.55, 0.05, key="concept-opacity")
    order = np.argsort(-values, kind="stable")
    pages = -(-len(order) // A_PAGE)
    at = two.number_input("Part of the pictures", 1, pages, 1, key=f"concept-part-{run.id}") if pages > 1 else 1
    cells = three.toggle("Cells as they are", key="concept-cells")
    cosines = record.cosine(concept)
    known = {picture.id: picture for picture in state.dataset_of(run).pictures}
    part = order[(int(at) - 1) * A_PAGE : int(at) * A_PAGE]
    for start in range(0, len(part), ACROSS):
        for column, place in zip(st.columns(ACROSS), part[start : start + ACROSS], strict=False):
            picture = known.get(str(record.pictures["image"].iloc[place]))
            with column:
                if picture is not None:
                    found = map_of(run, record, concept, int(place))
                    card(run, picture, chosen.title, found, float(cosines[place]), opacity=opacity, smooth=not cells)
    st.caption(
        "Each map is stretched to its own range, so an absent concept has a bright spot too: read the numbers below it."
    )


def card(
    run: Run, picture: Picture, title: str, found: ConceptMap, cosine: float, *, opacity: float, smooth: bool
) -> None:
    """One picture with its map and absolute scores."""
    st.markdown(f"**{plain(short(picture.name, 28))}**")
    about = f"Concept map of {title} on {picture.name}"
    maps.heat(run, picture, found.values, signed=False, opacity=opacity, smooth=smooth, alt=about)
    maps.scale(found.values, signed=False, unit="mean rank score of the covering crops, 1 is best")
    st.caption(plain(absolute(found, cosine)))
    given = run.manifest.get("model", {}).get("preprocessing")
    if given is not None:
        geometry = Preprocessing.from_dict(given).geometry(picture.width, picture.height)
        box = box_of(found.values, geometry, SHOWN_THRESHOLD)
        if box is not None:
            left, top, right, bottom = (round(edge) for edge in box)
            st.caption(plain(f"Box at {SHOWN_THRESHOLD:g}: {left}, {top} to {right}, {bottom} px"))


def over_all(record: ConceptRecord) -> None:
    """What is seen most over all pictures."""
    st.subheader("Most present over all pictures", anchor=False)
    frame = top_concepts(record, most=50)
    charts.show(concepts_chart(frame), "Concepts by mean presence with 95 % interval")
    left, right = st.tabs(["Concepts", "Groups above chance"])
    left.dataframe(_shown(frame, []), hide_index=True, height=260)
    right.dataframe(_shown(top_groups(record, most=50), ["members", "chance"]), hide_index=True, height=260)


def one_picture(run: Run, record: ConceptRecord) -> None:
    """The concepts of one picture."""
    st.subheader("Concepts of one picture", anchor=False)
    names = dict(record.pictures[["image", "image_name"]].itertuples(index=False))
    image = st.selectbox("Picture", list(names), format_func=names.__getitem__, key=f"concept-picture-{run.id}")
    rows = record.top[record.top["image"] == image]
    mean = {concept: record.own[:, record.graph.position(concept)].mean() for concept in rows["concept"]}
    shown = rows[["title", "gloss", "presence", "best", "cosine"]].round(3)
    shown.insert(3, "mean of all pictures", [round(float(mean[concept]), 3) for concept in rows["concept"]])
    left, right = st.columns((1, 3))
    with left:
        picture = maps.picture_of(run, image)
        if picture is not None:
            maps.original(run, picture)
    right.dataframe(shown, hide_index=True, height=320)
    if len(record.rebuilt):
        row = record.rebuilt[record.rebuilt["image"] == image].iloc[0]
        right.caption(
            plain(
                f"Words that rebuild its embedding, less what all pictures share: "
                f"{rebuilt_words(row.words, row.weights)}. They leave {share(row.cosine)} of it unexplained."
            )
        )
    fit = record.pictures.loc[record.pictures["image"] == image, "fit"].iloc[0]
    if record.about["in_distribution"]:
        right.caption(
            plain(f"Fit with {record.about['in_distribution']}: {number(float(fit))}; low says that it isn't one.")
        )


def map_of(run: Run, record: ConceptRecord, concept: int, picture: int) -> ConceptMap:
    """The map of a concept over a picture; its cosines with all concepts are kept for the next word."""
    file = run.folder / FOLDER / "about.json"
    cosines = _cosines(str(run.folder), file.stat().st_mtime_ns, picture)
    return record.map_from(cosines, concept)


def _shown(frame: pd.DataFrame, more: list[str]) -> pd.DataFrame:
    shown = frame[["title", "name", "gloss"]].copy()
    shown["value (95 % interval)"] = [number(row.value, row.low, row.high) for row in frame.itertuples(index=False)]
    shown["n"] = frame["n"]
    for name in more:
        shown[name] = frame[name].round(3)
    return shown


@st.cache_resource(max_entries=3, show_spinner="Reading the concepts …")
def _record(folder: str, changed: int) -> ConceptRecord | None:
    return load(Path(folder))


@st.cache_data(max_entries=48, show_spinner=False)
def _cosines(folder: str, changed: int, picture: int) -> NDArray[np.float32]:
    record = _record(folder, changed)
    assert record is not None
    return record.cosines(picture)


entry.through_app("pages/concepts.py")
st.title("Concepts")
with problems_shown():
    page()
