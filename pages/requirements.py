"""Requirements: what the findings of a run support evidence for, by law or standard."""

from __future__ import annotations

import streamlit as st

from core.reporting.requirements import DETAILS, MATRIX, WORDS, counted, coverage, frameworks
from pages.parts import entry, state, tables
from pages.parts.words import empty, plain, problems_shown

QUESTION = "For which requirements of laws and standards do the findings of an audit give evidence?"


def page() -> None:
    """The whole page for the current run."""
    run = state.current_run()
    if run is None:
        empty("Requirements appear here once an audit has run.", "pages/audit.py", "Plan an audit", QUESTION)
        return
    with state.reading(run):
        register = state.findings_of(run)
    st.caption(plain(WORDS))
    tables.show(MATRIX, counted(register, run.plan.declared))
    for framework in frameworks():
        st.subheader(framework.title, anchor=False)
        st.caption(
            plain(f"{framework.edition}. {framework.source}, checked on {framework.checked:%Y-%m-%d}. {framework.note}")
        )
        tables.show(DETAILS, coverage(framework, register, run.plan.declared), wrap=True)


entry.through_app("pages/requirements.py")
st.title("Requirements")
with problems_shown():
    page()
