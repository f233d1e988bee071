"""The way into the app when its first request after a start names a page."""

from __future__ import annotations

import streamlit as st


def came_through_app() -> None:
    """Called by `app.py` in every session."""
    st.session_state["through_app"] = True


def through_app(page: str) -> None:
    """Run `app.py` first if this session hasn't.

    Until `st.navigation` is called for the first time in a server's life, Streamlit takes the files in `pages/` for
    scripts of their own, so a link to a page would show it without navigation, run or favicon.
    """
    if not st.session_state.get("through_app"):
        st.session_state["wanted_page"] = page
        st.switch_page("app.py", query_params=st.query_params.to_dict())


def go_on() -> None:
    """Called by `app.py` after `st.navigation`: show the page that was asked for before."""
    wanted = st.session_state.pop("wanted_page", None)
    if wanted:
        st.switch_page(wanted, query_params=st.query_params.to_dict())
