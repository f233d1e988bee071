"""The embedding map: all images in two dimensions, to select from, colour, search and go on with."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from core.applications.embedding_map.chapter import HOW, faithfulness_sentence
from core.applications.embedding_map.record import LayoutRecord
from core.applications.embedding_map.tables import FAITHFULNESS
from core.content.words import plural
from core.rules.writing import unbroken
from core.runs import Run
from pages.parts import (
    application_page,
    layout_colours,
    layout_figure,
    layout_held,
    layout_scores,
    layout_search,
    layout_selection,
    saved_views,
    tables,
)
from pages.parts.words import plain

TOOLS = {"displaylogo": False, "modeBarButtonsToRemove": ["autoScale2d", "toImage"], "scrollZoom": True}


def page(run: Run, record: LayoutRecord) -> None:
    """The map with its colours and searches, and the selected images beside it."""
    points, about = record.points, record.about
    st.caption(plain(f"{plural(len(points), 'image')}; {about['model']}; {about['method']}."))
    st.text(unbroken(faithfulness_sentence(record)))
    view = saved_views.limited(run)
    colour, search = st.columns((5, 12), gap="medium")
    with colour:
        title, values = layout_colours.choose(run, points)
    with search:
        best = layout_scores.best_of(run)
        shown, limited = layout_search.choose(run, points, best, view)
    left, right = st.columns((7, 3), gap="medium")
    with left:
        picked = drawn(run, points, values, title, shown)
    rows = [row for row in picked if shown[row]] if picked else np.flatnonzero(shown).tolist() if limited else []
    with right:
        layout_selection.show(run, points["image"].iloc[rows].tolist(), lasso=bool(picked))
    with st.expander("How far the layout can be trusted"):
        tables.show(FAITHFULNESS, record.layouts)
        for sentence in HOW:
            st.caption(plain(sentence))


def drawn(run: Run, points: pd.DataFrame, values: layout_colours.Values, title: str, shown: Any) -> list[int]:
    """Draw the map; the positions of the points that are selected on it, also by a selection made in other colours."""
    held = layout_held.held(run, (title, shown.tobytes()))
    spec = layout_figure.figure(points, values, title, shown, selected=held.drawn)
    key = layout_held.chart_key(run)

    def keep() -> None:
        held.picked = picked_rows(st.session_state.get(key), len(points))

    st.plotly_chart(
        spec,
        key=key,
        on_select=keep,
        selection_mode=("points", "box", "lasso"),
        config=TOOLS,
        alt=f"{plural(len(points), 'image')} in two dimensions by the embeddings of the model, coloured by {title}",
    )
    return held.picked


def picked_rows(chart_state: object, count: int) -> list[int]:
    """The positions that a selection on the map names, each once, in order. They come from a browser."""
    selection = chart_state.get("selection", {}) if isinstance(chart_state, dict) else {}
    found = set()
    for point in selection.get("points", []):
        row = point.get("customdata")
        row = row[0] if isinstance(row, list) and row else row
        if isinstance(row, int | float) and 0 <= row < count:
            found.add(int(row))
    return sorted(found)


application_page.show("embedding_map", LayoutRecord.of_run, page)
