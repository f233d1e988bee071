"""Requirements: what the findings of a run support evidence for, by law or standard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import streamlit as st

from core.content.words import plural
from core.findings.opinion import dismissed_sentence
from core.reporting.assurance import dismissed
from core.reporting.requirements import DETAILS, MATRIX, WORDS, Framework, State, counted, coverage, frameworks
from core.runs.review import load_review
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
    rows = counted(register, run.plan.declared)
    st.markdown(plain(total(rows)))
    with problems_shown():
        gone = dismissed([item for item in register if item.status == "finding"], load_review(run))
        if gone:
            st.caption(plain(f"{dismissed_sentence(register, gone)} What was dismissed counts as evidence, too."))
    tables.show(MATRIX, rows)
    st.caption(plain(WORDS))
    for framework in frameworks():
        st.subheader(framework.title, anchor=False)
        st.caption(
            plain(f"{framework.edition}. {framework.source}, checked on {framework.checked:%Y-%m-%d}. {framework.note}")
        )
        tables.show(DETAILS, coverage(framework, register, run.plan.declared))


def total(rows: Sequence[tuple[Framework, Counter[State]]]) -> str:
    """How many requirements of all frameworks the audit gives evidence for."""
    count = Counter[State]()
    for _, states in rows:
        count.update(states)
    return (
        f"The findings of this audit give evidence for {count['supported']} of {plural(count.total(), 'requirement')} "
        f"of {len(rows)} laws and standards, and in part for {count['in part']}; for {count['unknown']} nothing was "
        f"decided, and {count['not addressed']} are not addressed by any check of Loupe."
    )


entry.through_app("pages/requirements.py")
st.title("Requirements")
with problems_shown():
    page()
