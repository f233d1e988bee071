"""The stored scores of a run as the embedding map reads them, computed once for each state of the results."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from core.content.groups import best_classes
from core.runs import Run
from pages.parts import state

Scores = dict[tuple[str, str], dict[str, float]]


def best_of(run: Run) -> dict[str, str]:
    """The class with the highest score of each image."""
    return _best(str(run.folder), state.version_of(run))


def scores_of(run: Run) -> Scores:
    """For each text and its kind the score of each image: texts that at least two images were scored with.

    Those of most images come first.
    """
    return _scores(str(run.folder), state.version_of(run))


@st.cache_resource(max_entries=3, show_spinner=False)
def _best(folder: str, version: tuple[int, int]) -> dict[str, str]:
    return best_classes(state.summary_of(Run(Path(folder))).scores)


@st.cache_resource(max_entries=3, show_spinner=False)
def _scores(folder: str, version: tuple[int, int]) -> Scores:
    rows = state.summary_of(Run(Path(folder))).scores
    means = rows.groupby(["text", "text_kind", "image"], sort=False)["score"].mean()
    found = {
        (str(text), str(kind)): dict(zip(part.index.get_level_values("image"), part.astype(float), strict=True))
        for (text, kind), part in means.groupby(level=["text", "text_kind"], sort=True)
        if len(part) >= 2
    }
    return dict(sorted(found.items(), key=lambda item: -len(item[1])))
