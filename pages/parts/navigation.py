"""The entries of the navigation whose analysis is no part of the selected audit: they are faint, and can be opened."""

from __future__ import annotations

import streamlit as st

from core.applications.registry import APPLICATIONS
from core.runs import FINISHED, Run
from pages.parts import state

# Slanted as well: a difference in strength alone is lost on some displays. The contrast stays above 4.5 in both themes.
FAINT = "{ opacity: 0.88; font-style: italic; }"


def mark_missing(run: Run | None) -> None:
    """Make the entries faint whose page has nothing to show of the selected audit, and will have nothing."""
    if names := without_record(run):
        links = ", ".join(f'[data-testid="stSidebarNavLink"][href$="/{name}"]' for name in names)
        st.html(f"<style>{links} {FAINT}</style>")


def without_record(run: Run | None) -> list[str]:
    """The applications with a page that a finished run does not include; none while it may still be worked on."""
    if run is None or state.progress_of(run).state not in FINISHED:
        return []
    planned = {part.name for part in run.plan.applications}
    return [name for name, one in APPLICATIONS.items() if one.page is not None and name not in planned]
