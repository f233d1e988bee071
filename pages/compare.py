"""Compare: the current audit beside one of another model on the same dataset."""

from __future__ import annotations

import streamlit as st

from pages.parts import entry, saved_views, side_by_side, state
from pages.parts.words import empty, problems_shown

QUESTION = "How do two models differ on the same images, and what has changed since an earlier audit?"


def page() -> None:
    """The comparison of the current audit with another one."""
    current = state.current_run()
    if current is None:
        empty("Models are compared here once an audit has run.", "pages/audit.py", "Plan an audit", QUESTION)
        return
    st.markdown(QUESTION)
    above = st.container()
    side_by_side.show(current)
    with above:
        saved_views.told(current)


entry.through_app("pages/compare.py")
st.title("Compare")
with problems_shown():
    page()
