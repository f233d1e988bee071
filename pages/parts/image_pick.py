"""The image that Explore shows: chosen by name, or one step before or after it in the order of the images."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from core.runs import Run
from pages.parts import address
from pages.parts.words import figure


def pick(run: Run, names: Mapping[str, str], agreement: Mapping[str, float]) -> str:
    """The id of the image that is shown; `names` in the order in which they are stepped through."""
    key, order = f"image-{run.id}", list(names)
    if st.session_state.get("wanted_image") in names:
        st.session_state[key] = st.session_state.pop("wanted_image")
    if st.session_state.get(key) not in {*order, None}:
        # It was chosen before a saved view or a filter left it out.
        st.session_state[key] = order[0]
    address.enter(key, "image", order, order[0], str)
    at = order.index(st.session_state[key]) if st.session_state[key] in names else 0
    _step("Previous image", ":material/chevron_left:", order, at - 1)
    image: str = st.selectbox(
        "Image",
        order,
        format_func=lambda id: names[id] + _agreement(agreement.get(id)),
        key=key,
        persist_state="session",
        width=330,
    )
    _step("Next image", ":material/chevron_right:", order, at + 1)
    return image


def want(image: str) -> None:
    """Show this image from the next run of the page on."""
    st.session_state["wanted_image"] = image


def _step(label: str, icon: str, order: list[str], at: int) -> None:
    """A button to the image before or after the one that is shown."""
    there = 0 <= at < len(order)
    st.button(
        "", icon=icon, help=label, key=label, disabled=not there, on_click=want, args=(order[at] if there else "",)
    )


def _agreement(value: float | None) -> str:
    return "" if value is None or pd.isna(value) else f" · agreement {figure(value, '+.2f')}"
