"""The app's entry: `streamlit run app.py`. The server imports it, and every session runs it as its script."""

from __future__ import annotations

import logging

import streamlit as st
from starlette.middleware import Middleware
from streamlit.starlette import App

from core.settings import ROOT, VERSION
from pages.parts import entry, guard, imports, state, words

FAVICON = ROOT / "templates" / "app" / "favicon.png"


def layout() -> None:
    """Lay out the pages and the choice of run that all of them read, then show the page that is asked for."""
    entry.came_through_app()
    at_start()
    # Before st.navigation: a material icon as favicon would be fetched from the network.
    st.set_page_config(page_title="Loupe", page_icon=str(FAVICON), layout="wide")
    st.logo(str(FAVICON), size="large")
    page = st.navigation(
        [
            st.Page("pages/dataset.py", title="Data set", icon=":material/photo_library:", default=True),
            st.Page("pages/audit.py", title="Audit", icon=":material/play_circle:"),
            st.Page("pages/explore.py", title="Explore", icon=":material/search:"),
            st.Page("pages/concepts.py", title="Concepts", icon=":material/hub:"),
            st.Page("pages/segmentation.py", title="Segmentation", icon=":material/grid_on:"),
            st.Page("pages/priors.py", title="Semantic priors", icon=":material/dashboard:"),
            st.Page("pages/information.py", title="Information", icon=":material/compress:"),
            st.Page("pages/sanity.py", title="Sanity checks", icon=":material/health_and_safety:"),
            st.Page("pages/mosaic.py", title="Mosaics", icon=":material/grid_view:"),
            st.Page("pages/word_maps.py", title="Word maps", icon=":material/text_fields:"),
            st.Page("pages/reliance.py", title="Reliance", icon=":material/foundation:"),
            st.Page("pages/compare.py", title="Compare", icon=":material/compare_arrows:"),
            st.Page("pages/findings.py", title="Findings", icon=":material/fact_check:"),
            st.Page("pages/report.py", title="Report", icon=":material/description:"),
        ],
        # More than twelve would be folded, and Findings and Report stand last.
        expanded=True,
    )
    entry.go_on()
    with st.sidebar:
        state.choose_run()
        st.caption(f"Loupe {VERSION}. Pictures and models stay on this machine.")
    page.run()


@st.cache_resource(show_spinner=False)
def at_start() -> None:
    """Once in a server's life: clear away what imports of an earlier one have left."""
    imports.sweep()


def told(error: Exception) -> bool:
    """What a person sees of a defect: one line. The traceback is for the server's log."""
    logging.getLogger("loupe").error("a page failed", exc_info=error)
    st.error(words.FAILED, icon=":material/error:")
    return True


if __name__ == "__main__":
    layout()
else:
    app = App(__file__, middleware=[Middleware(guard.Guard)], on_script_error=told)
