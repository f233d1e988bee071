"""Audit: plan one, read its cost, start it, follow it, stop it, resume it."""

from __future__ import annotations

import streamlit as st

from core.runs import STOPPED
from pages.parts import entry, new_audit, run_progress, state
from pages.parts.words import problems_shown, tab

VIEWS = {"new": "New audit", "progress": "Progress"}


def default_view() -> str:
    """A run that has not stopped is shown first."""
    with problems_shown():
        run = state.current_run()
        if run is not None and state.progress_of(run).state not in STOPPED:
            return "progress"
    return "new"


entry.through_app("pages/audit.py")
st.title("Audit")
st.markdown(
    "Choose a model, the texts that your product uses, and the methods that explain its scores. The audit runs in a "
    "separate process: closing this window does not stop it."
)
wanted = st.session_state.pop("wanted_view", None)
if wanted or "audit_view" not in st.session_state:
    st.session_state["audit_view"] = wanted or default_view()
view = st.segmented_control(
    "View",
    list(VIEWS),
    format_func=lambda view: tab(VIEWS[view]),
    required=True,
    key="audit_view",
    persist_state="session",
    label_visibility="collapsed",
)
st.page_link("pages/runs.py", label="All audits", icon=":material/arrow_forward:")
with problems_shown():
    {"new": new_audit.show, "progress": run_progress.watch}[view or "new"]()
