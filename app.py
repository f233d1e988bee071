"""The app's entry: `streamlit run app.py`. The server imports it, and every session runs it as its script."""

from __future__ import annotations

import logging

import streamlit as st
from starlette.middleware import Middleware
from streamlit.starlette import App

from core.applications.application import Page
from core.applications.registry import APPLICATIONS
from core.memory import give_back, share_arenas
from core.settings import ROOT, VERSION
from pages.parts import copy_link, entry, guard, identity, imports, navigation, selected_audit, stale_timer, words

FAVICON = ROOT / "templates" / "app" / "favicon.png"
# Streamlit marks the focus by a faint tint. This blue has a contrast above 3 with the background of both themes.
# All groups of the navigation fit on a screen of 900 pixels, each link in 24 of them.
STYLE = """<style>
[data-testid="stSidebarNavLink"] { margin-block: 0; padding-block: 0; min-height: 24px; line-height: 1.3; }
[data-testid="stSidebarNavLink"] * { line-height: 1.3; }
[data-testid="stSidebarNavLinkContainer"] { margin-block: 0; padding-block: 0; min-height: 0; }
[data-testid="stNavSectionHeader"] { padding-block: 0; margin-block: 0.2rem 0; }
[data-testid="stMain"] h1 { padding-top: 0.25rem; }
:is(a, button, summary, [tabindex], [role="radio"], [role="slider"]):focus-visible {
  outline: 2px solid #2f8fd0 !important;
  outline-offset: 1px;
}
</style>"""


def layout() -> None:
    """The navigation and the choice of the audit that all pages read, then the requested page."""
    entry.came_through_app()
    at_start()
    # Before st.navigation: a material icon as favicon would be fetched from the network.
    st.set_page_config(page_title="Loupe", page_icon=str(FAVICON), layout="wide")
    st.logo(str(FAVICON), size="large")
    st.html(STYLE)
    page = st.navigation(
        {
            "": [st.Page("pages/home.py", title="Home", icon=":material/home:", default=True)],
            "Prepare": [st.Page("pages/dataset.py", title="Dataset", icon=":material/photo_library:")],
            "Audit": [
                st.Page("pages/audit.py", title="Audit", icon=":material/play_circle:"),
                st.Page("pages/runs.py", title="All audits", icon=":material/folder_open:"),
            ],
            "Understand": [
                st.Page("pages/playground.py", title="Playground", icon=":material/experiment:"),
                st.Page("pages/explore.py", title="Explore", icon=":material/search:"),
                *(st.Page(f"pages/{name}.py", title=page.title, icon=page.icon) for name, page in application_pages()),
                st.Page("pages/compare.py", title="Compare", icon=":material/compare_arrows:"),
                st.Page("pages/user_study.py", title="User study", icon=":material/how_to_vote:"),
            ],
            "Decide": [
                st.Page("pages/findings.py", title="Findings", icon=":material/fact_check:"),
                st.Page("pages/requirements.py", title="Requirements", icon=":material/rule:"),
                st.Page("pages/report.py", title="Report", icon=":material/description:"),
            ],
            "Help": [
                st.Page("pages/methods.py", title="Methods", icon=":material/function:"),
                st.Page("pages/glossary.py", title="Glossary", icon=":material/menu_book:"),
            ],
        },
        # More than twelve would be collapsed, and Findings, Report and Glossary are the last.
        expanded=True,
    )
    entry.go_on()
    with st.sidebar:
        welcome = identity.enter()
    if welcome:
        navigation.mark_missing(selected_audit.choose(page.url_path))
    st.sidebar.caption(f"Loupe {VERSION}. Images and models stay on this machine.")
    if welcome:
        page.run()
        give_back()
    else:
        identity.turned_away()


def application_pages() -> list[tuple[str, Page]]:
    """The pages of applications that have one, by the name of the application."""
    return [(name, application.page) for name, application in APPLICATIONS.items() if application.page is not None]


@st.cache_resource(show_spinner=False)
def at_start() -> None:
    """Once per server: remove the remains of imports of an earlier one."""
    imports.sweep()


def report_error(error: Exception) -> bool:
    """Show a defect as one line. The traceback goes to the log of the server."""
    logging.getLogger("loupe").error("a page failed", exc_info=error)
    st.error(words.of_error(error), icon=":material/error:")
    return True


if __name__ == "__main__":
    layout()
else:
    stale_timer.leave_out()
    share_arenas()
    app = App(
        __file__,
        routes=[copy_link.route()],
        middleware=[Middleware(guard.Guard, header=identity.at_server_start())],
        on_script_error=report_error,
    )
