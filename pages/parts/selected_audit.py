"""The selected audit: its selector and its state, in a row above every page about it, in the sidebar of the others."""

from __future__ import annotations

import streamlit as st

from core.audit.death import death
from core.content.words import duration, plural
from core.runs import FINISHED, Run
from core.runs.opened import bundle_of, is_opened
from core.runs.shelf import shelf
from core.runs.store import AT_WORK
from pages.parts import address, state
from pages.parts.words import plain, problems_shown

NOT_ABOUT_AN_AUDIT = ("", "dataset", "audit", "runs", "playground", "methods", "glossary")
WIDTH = 420  # pixels
MOST_FAILURES = 4
STATE_SECONDS = 1.0  # between two looks at a run that may change


def choose(page: str) -> Run | None:
    """The selector on the page of this address; its choice is the run of this session.

    Returns that run, or None if there is none or if it cannot be read, which is said below the selector.
    """
    above = page not in NOT_ABOUT_AN_AUDIT
    runs = shelf()
    if not runs:
        if not above:
            st.sidebar.caption("There is no audit yet.")
        st.session_state.pop("run_id", None)
        return None
    wanted = st.session_state.pop("wanted_run", None) or st.session_state.get("run_id") or st.query_params.get("run")
    if wanted and wanted not in runs:
        st.warning("The requested audit is not listed here; the latest one is shown.")
    st.session_state["run_id"] = wanted if wanted in runs else next(iter(runs))
    with st.container(horizontal=True, vertical_alignment="center") if above else st.sidebar:
        st.selectbox(
            "Selected audit",
            list(runs),
            format_func=lambda id: state.run_label(runs[id]),
            key="run_id",
            label_visibility="collapsed" if above else "visible",
            width=WIDTH if above else "stretch",
        )
        if st.query_params.get("run") not in (None, st.session_state["run_id"]):
            address.clear()
        st.query_params["run"] = st.session_state["run_id"]
        run = runs[st.session_state["run_id"]]
        with problems_shown():
            # What has finished stays as it is; anything else may be worked on by now, here or elsewhere.
            every = None if state.progress_of(run).state in FINISHED else STATE_SECONDS
            if st.fragment(_standing, run_every=every)(run):
                return run
    return None


def _standing(run: Run) -> bool:
    """The state of the run, read again by a timer on every page. Returns whether it could be read."""
    with problems_shown():
        now = state.progress_of(run)
        about = [plural(len(run.plan.images), "image")]
        if now.alive and now.state in AT_WORK:
            about.insert(0, f"{min(int(100 * now.share), 99)} % of all work")
            if now.seconds_left is not None:
                about.insert(1, f"about {duration(now.seconds_left)} left")
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            if is_opened(run):
                st.badge("read only", color="violet", icon=":material/folder_zip:")
            name, colour = state.state_of(now)
            st.badge(name, color=colour)
            st.caption(" · ".join(about), width="content")
        if is_opened(run):
            st.caption(plain(f"Opened from {bundle_of(run)}. A bundle has no images: maps are drawn over grey."))
        for line in [death(run, now)] if now.died else state.what_failed(run, now)[:MOST_FAILURES]:
            st.caption(plain(line))
        return True
    return False
