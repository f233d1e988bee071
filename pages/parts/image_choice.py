"""The choice of one image on a page: within the saved view if there is one, and part of the address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from core.content.words import shorten
from core.datasets import DatasetImage
from core.runs import Run
from pages.parts import address, maps, saved_views


def choose(run: Run, names: Mapping[str, str], key: str, where: Any = None) -> DatasetImage | None:
    """The image that is chosen among `names` (by id); None with a line that says why there is none.

    key: of the widget. where: the column that the choice is drawn into.
    """
    view = saved_views.chosen(run)
    offered = saved_views.within(view, names)
    if len(offered) < len(names):
        saved_views.note()
    if not offered:
        st.info("No image of the saved view is among those of this part. Remove the view to see the others.")
        return None
    if st.session_state.get(key) not in {*offered, None}:
        # It was chosen before the view left it out.
        st.session_state[key] = offered[0]
    address.enter(key, "image", offered, offered[0], str)
    chosen = (where or st).selectbox("Image", offered, format_func=lambda id: shorten(names[id], 80), key=key)
    address.tell("image", [chosen])
    found = maps.image_of(run, chosen)
    if found is None:
        st.error("This image is no longer in the dataset.")
    return found
