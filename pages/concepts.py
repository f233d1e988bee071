"""Concepts: type a word, choose its sense, and see its map on every image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.applications.concepts.boxes import SHOWN_THRESHOLD, box_of
from core.applications.concepts.chapter import (
    absolute,
    caution,
    concepts_chart,
    top_concepts,
    top_groups,
)
from core.applications.concepts.record import ConceptRecord, of_run
from core.applications.concepts.tables import CONCEPTS, GROUPS, IMAGE_CONCEPTS, rebuilt_words, unexplained
from core.concepts.relevance import ConceptMap
from core.content.words import plural, shorten
from core.datasets import DatasetImage
from core.languages import typeset
from core.models.geometry import Preprocessing
from core.runs import Run
from pages.parts import application_page, charts, image_choice, maps, saved_views, state, tables
from pages.parts.words import number, plain

ACROSS = 4
A_PAGE = 12
FIRST_SENSES = 12


def page(run: Run, record: ConceptRecord) -> None:
    """The maps of a chosen concept, the concepts of the dataset, and those of one image."""
    about = record.about
    st.caption(
        plain(
            f"{about['concepts']:,} concepts ({about['source']}) · {about['crops']} crops per image · maps of "
            f"{about['cells']} × {about['cells']}"
        )
    )
    if caution(record):
        st.warning(plain(caution(record)))
    concept = choose(record)
    if concept is not None:
        one_concept(run, record, concept)
    over_all(record)
    one_image(run, record)


def cached(run: Run) -> ConceptRecord | None:
    """The run's record, read once until it changes."""
    return _record(str(run.folder), changed) if (changed := application_page.written(ConceptRecord, run)) else None


def choose(record: ConceptRecord) -> int | None:
    """The concept of a typed word, chosen among its senses by the gloss."""
    left, right = st.columns((2, 5), vertical_alignment="bottom")
    # The widget's own key, so that another run's vocabulary is asked the same word.
    first = record.graph.position(str(record.top["concept"].iloc[0])) if len(record.top) else 0
    word = left.text_input("Word", value=record.graph.concepts[first].title, key="concept-word", max_chars=80)
    senses = record.graph.senses(word)[:FIRST_SENSES]
    if not senses:
        st.info(
            plain(f"No concept of this audit is called {word!r}. Try a more general word, or one listed below."),
            icon=":material/search_off:",
        )
        return None
    with right:
        return st.selectbox("Sense", senses, format_func=lambda at: sense(record, at))


def sense(record: ConceptRecord, at: int) -> str:
    """A concept with its gloss, for a list."""
    concept = record.graph.concepts[at]
    below = int(record.graph.sizes[at]) - 1
    more = f" · {below} below it" if below else ""
    return f"{concept.title} ({concept.name}): {shorten(concept.gloss, 110)}{more}"


def one_concept(run: Run, record: ConceptRecord, concept: int) -> None:
    """The maps of one concept on all images, highest presence first."""
    chosen = record.graph.concepts[concept]
    st.subheader(plain(chosen.title), anchor=False)
    above = ", ".join(record.graph.concepts[parent].title for parent in record.graph.parents[concept])
    st.caption(plain(f"{chosen.gloss}{f' · a kind of {above}' if above else ''}"))
    values = record.presence[:, concept]
    told = typeset(
        f"On average over {plural(len(values), 'image')}, this concept or one below it ranks among the top 1 % "
        f"of all concepts in {values.mean():.1%} of the image; a random ranking would give "
        f"{record.chance(concept):.1%}."
    )
    st.markdown(plain(told))
    one, two, three = st.columns((3, 3, 2), vertical_alignment="bottom")
    opacity = one.slider("Opacity of the maps", 0.0, 1.0, 0.55, 0.05, key="concept-opacity")
    order = within_view(run, record, np.argsort(-values, kind="stable"))
    if not len(order):
        st.info("No image of the saved view was analysed. Remove the view to see the others.")
        return
    pages = -(-len(order) // A_PAGE)
    at = two.number_input("Page", 1, pages, 1, key=f"concept-part-{run.id}") if pages > 1 else 1
    cells = three.toggle("Native cells", key="concept-cells")
    cosines = record.cosine(concept)
    stored = {image.id: image for image in state.dataset_of(run).images}
    part = order[(int(at) - 1) * A_PAGE : int(at) * A_PAGE]
    for start in range(0, len(part), ACROSS):
        for column, position in zip(st.columns(ACROSS), part[start : start + ACROSS], strict=False):
            image = stored.get(str(record.images["image"].iloc[position]))
            with column:
                if image is not None:
                    heat_map = map_of(run, record, concept, int(position))
                    cosine = float(cosines[position])
                    card(run, image, chosen.title, heat_map, cosine, opacity=opacity, smooth=not cells)
    st.caption(
        "Each map is rescaled to its own range, so that an absent concept has a bright region too: read the numbers "
        "below each map."
    )


def within_view(run: Run, record: ConceptRecord, order: NDArray[Any]) -> NDArray[Any]:
    """The positions of the images of the saved view, in their order; all of them without a view."""
    ids = record.images["image"].tolist()
    kept = set(saved_views.within(saved_views.chosen(run), ids))
    if len(kept) < len(set(ids)):
        saved_views.note()
    return order[[ids[at] in kept for at in order]]


def card(
    run: Run, image: DatasetImage, title: str, heat_map: ConceptMap, cosine: float, *, opacity: float, smooth: bool
) -> None:
    """One image with its map and absolute scores."""
    st.markdown(f"**{plain(shorten(image.name, 28))}**")
    about = f"Concept map of {title} on {image.name}"
    maps.heat(run, image, heat_map.values, signed=False, opacity=opacity, smooth=smooth, alt=about)
    maps.scale(heat_map.values, signed=False, unit="mean rank score of the covering crops, 1 is best")
    st.caption(plain(absolute(heat_map, cosine)))
    given = run.manifest.get("model", {}).get("preprocessing")
    if given is not None:
        geometry = Preprocessing.from_dict(given).geometry(image.width, image.height)
        box = box_of(heat_map.values, geometry, SHOWN_THRESHOLD)
        if box is not None:
            left, top, right, bottom = (round(edge) for edge in box)
            st.caption(plain(typeset(f"Bounding box at {SHOWN_THRESHOLD:.0%}: {left}, {top} to {right}, {bottom} px")))


def over_all(record: ConceptRecord) -> None:
    """The concepts with the highest presence over all images."""
    st.subheader("Highest presence over all images", anchor=False)
    frame = top_concepts(record, most=50)
    charts.show(concepts_chart(frame), "Concepts by mean presence with 95 % interval")
    left, right = st.tabs(["Concepts", "Groups, relative to chance"])
    with left:
        tables.show(CONCEPTS, frame, height=260)
    with right:
        tables.show(GROUPS, top_groups(record, most=50), height=260)


def one_image(run: Run, record: ConceptRecord) -> None:
    """The concepts of one image."""
    st.subheader("Concepts of one image", anchor=False)
    names = dict(record.images[["image", "image_name"]].itertuples(index=False))
    entry = image_choice.choose(run, names, f"concept-image-{run.id}")
    if entry is None:
        return
    image = entry.id
    rows = record.top[record.top["image"] == image]
    own = [float(record.own[:, record.graph.position(concept)].mean()) for concept in rows["concept"]]
    left, right = st.columns((1, 3))
    with left:
        maps.original(run, entry)
    with right:
        tables.show(IMAGE_CONCEPTS, rows.assign(mean=own), height=320)
    if len(record.rebuilt):
        row = record.rebuilt[record.rebuilt["image"] == image].iloc[0]
        right.caption(
            plain(
                f"Words that reconstruct its embedding after the mean embedding is subtracted: "
                f"{rebuilt_words(row.words, row.weights)}. They leave {unexplained(row.cosine)} of it unexplained."
            )
        )
    fit = record.images.loc[record.images["image"] == image, "fit"].iloc[0]
    if record.about["in_distribution"]:
        right.caption(
            plain(
                f"Fit with {record.about['in_distribution']}: {number(float(fit))}; a low value suggests that the "
                "image shows none."
            )
        )


def map_of(run: Run, record: ConceptRecord, concept: int, image: int) -> ConceptMap:
    """The map of a concept on an image; the cosines of the image with all concepts are cached for the next word."""
    return record.map_from(_cosines(str(run.folder), application_page.written(ConceptRecord, run), image), concept)


@st.cache_resource(max_entries=3, show_spinner="Reading the concepts …")
def _record(folder: str, changed: int) -> ConceptRecord | None:
    return of_run(Run(Path(folder)))


@st.cache_data(max_entries=48, show_spinner=False)
def _cosines(folder: str, changed: int, image: int) -> NDArray[np.float32]:
    record = _record(folder, changed)
    assert record is not None
    return record.cosines(image)


application_page.show("concepts", cached, page)
