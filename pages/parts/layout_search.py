"""Which points of the embedding map are shown: by a word of their texts, by a stored score, by a saved view."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray
from streamlit.delta_generator import DeltaGenerator

from core.content.words import shorten
from core.runs import Run
from core.runs.saved_views import SavedView
from pages.parts import address, layout_scores, state

MOST_CHARACTERS = 200
USUAL_NEAREST = 24


def choose(
    run: Run, points: pd.DataFrame, best: Mapping[str, str], view: SavedView | None
) -> tuple[NDArray[np.bool_], bool]:
    """For each point whether it is shown, and whether anything limits that."""
    words, text, count = st.columns((5, 5, 2), gap="medium", vertical_alignment="bottom")
    with words:
        word = searched(run)
    near = nearest(run, text, count)
    shown = np.ones(len(points), dtype=bool)
    for images in (None if view is None else set(view.images), matches(run, word, best) if word else None, near):
        if images is not None:
            shown &= points["image"].isin(images).to_numpy()
    return shown, view is not None or bool(word) or near is not None


def searched(run: Run) -> str:
    """The words that are searched for; the address keeps them."""
    key = f"search-{run.id}"
    if key not in st.session_state:
        st.session_state[key] = st.query_params.get("search", "")[:MOST_CHARACTERS]
    word = st.text_input(
        "Search names, captions and classes", key=key, max_chars=MOST_CHARACTERS, placeholder="part of a text"
    )
    found = (word or "").strip()
    address.tell("search", [found] if found else [])
    return found


def matches(run: Run, word: str, best: Mapping[str, str]) -> set[str]:
    """The images whose name, captions, metadata or best class contain the words."""
    wanted = word.casefold()
    return {
        image.id
        for image in state.dataset_of(run).images
        if wanted
        in "\n".join(
            (image.name, *image.captions, *map(str, image.metadata.values()), best.get(image.id, ""))
        ).casefold()
    }


def nearest(run: Run, text: DeltaGenerator, count: DeltaGenerator) -> set[str] | None:
    """The images with the highest stored scores of a text; None without one. `text` and `count` hold the fields."""
    texts = layout_scores.scores_of(run)
    if not texts:
        return None
    images = state.summary_of(run).images
    chosen = text.selectbox(
        "Nearest to a text",
        [None, *texts],
        format_func=lambda one: "any" if one is None else f"{one[1]}: {shorten(one[0], 60)}",
        key=f"nearest-{run.id}",
        help="By the scores that the audit has stored. No model is asked.",
    )
    most = count.number_input("Images", 1, max(images, 1), min(USUAL_NEAREST, images), key=f"nearest-count-{run.id}")
    if chosen is None:
        return None
    scores = texts[chosen]
    return set(sorted(scores, key=lambda image: (-scores[image], image))[: int(most)])
