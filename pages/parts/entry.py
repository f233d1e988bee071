"""The way into the app when its first request after a start names a page."""

from __future__ import annotations

import streamlit as st


def came_through_app() -> None:
    """Called by `app.py` in every session."""
    st.session_state["through_app"] = True


def through_app(page: str) -> None:
    """Run `app.py` first if this session hasn't, and note that the session now shows `page`.

    Until `st.navigation` is called for the first time in a server's life, Streamlit takes the files in `pages/` for
    scripts of their own, so a link to a page would show it without navigation, run or favicon.
    """
    if not st.session_state.get("through_app"):
        st.session_state["wanted_page"] = page
        st.switch_page("app.py", query_params=_all_of_address())
    st.session_state["page_shown"] = page


def run_again(page: str) -> None:
    """Run the app again from a timer of `page`; does nothing where the session no longer shows that page.

    The browser may fire a timer of a page that the person has just left; a rerun from there would bring them back.
    """
    if st.session_state.get("page_shown") == page:
        st.rerun()


def go_on() -> None:
    """Called by `app.py` after `st.navigation`: show the page that was asked for before."""
    wanted = st.session_state.pop("wanted_page", None)
    if wanted:
        st.switch_page(wanted, query_params=_all_of_address())


def _all_of_address() -> dict[str, list[str]]:
    """Every value of the address: `to_dict` would leave the last of each name."""
    return {name: st.query_params.get_all(name) for name in st.query_params}
