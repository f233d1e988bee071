"""The review of a finding on a page: its state, and a form that adds an entry to the review log."""

from __future__ import annotations

from datetime import date
from typing import Any

import streamlit as st

from core.findings import Finding
from core.reporting.assurance import decision_text, response_text, said
from core.runs import Run
from core.runs.access import Actor
from core.runs.review import Kind, Review, add_entry, finding_review, load_review, standing
from pages.parts import identity
from pages.parts.words import plain, problems_shown

COLOURS: dict[str, Any] = {"open": "gray", "accepted": "green", "dismissed": "violet"}
ENTRIES: dict[Kind, str] = {
    "comment": "Comment",
    "accept": "Accept",
    "dismiss": "Dismiss",
    "owner": "Owner",
    "due": "Due date",
}
WHY_HELP = "Entries cannot be changed or removed. The report contains them once it has been generated again."


def report_state(run: Run) -> Review | None:
    """Show version and status of the report, and the name under which this session makes entries.

    Returns the review log; None if it is damaged, which is then shown.
    """
    review = None
    with problems_shown():
        review = load_review(run)
        now = standing(review)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(plain(f"Report: version {now.version}, {now.status}."))
            who = identity.actor()
            if who.name:
                st.caption(plain(f"Entries are made as {identity.told(who)}."))
                identity.rename_button("review-rename")
            st.page_link("pages/report.py", label="Approval record", icon=":material/how_to_reg:")
    return review


def badge(review: Review, item: Finding) -> str:
    """The decision on a finding as a badge in Markdown."""
    decision = finding_review(review, item.id).decision
    return f":{COLOURS[decision]}-badge[{decision}]"


def panel(run: Run, item: Finding, review: Review) -> None:
    """What was entered about a finding, and the form for another entry."""
    about = finding_review(review, item.id)
    told = [f"Decision: {decision_text(about)}"] if about.decided or about.action else []
    told += [f"Owner: {said(about.owner)}"] if about.owner else []
    told += [f"Due: {said(about.due)}"] if about.due else []
    told += [f"Response: {response_text(about)}"] if about.response else []
    told += [f"{entry.by}, {entry.at[:10]}: {entry.why}" for entry in about.comments]
    for line in told:
        st.markdown(plain(line))
    key = _form_key(item, review)
    with st.expander("Review this finding", expanded=f"{key}-kind" in st.session_state):
        form(run, item, key)


def begin(item: Finding, review: Review, kind: Kind) -> None:
    """Show the form with this kind of entry from the next run of the page on."""
    st.session_state[f"{_form_key(item, review)}-kind"] = kind


def _form_key(item: Finding, review: Review) -> str:
    """The fields are new after each entry, and keep what was typed where one was refused."""
    return f"review-{item.id}-{sum(entry.finding == item.id for entry in review.entries)}"


def form(run: Run, item: Finding, key: str) -> None:
    """One entry: of which kind, with which value, and why. The name is asked for once."""
    st.session_state.setdefault(f"{key}-kind", "comment")
    picked: Kind | None = st.segmented_control(
        "Entry", list(ENTRIES), format_func=ENTRIES.__getitem__, required=True, key=f"{key}-kind"
    )
    kind = picked or "comment"
    with st.form(key, border=False):
        who = identity.actor()
        by = who.name or identity.ask_name(f"{key}-by")
        value = ""
        if kind == "owner":
            value = st.text_input("Owner of the corrective action", key=f"{key}-owner", max_chars=200)
        elif kind == "due":
            chosen = st.date_input("Due date", value=None, key=f"{key}-due")
            value = chosen.isoformat() if isinstance(chosen, date) else ""
        label = "Comment" if kind == "comment" else "Reason"
        why = st.text_area(label, key=f"{key}-why", max_chars=4_000, help=WHY_HELP)
        if identity.button("Add to the review log", "add to the review log", form=True, type="primary"):
            with problems_shown():
                add_entry(run, who if who.name else Actor(by), kind, item.id, value, why)
                if not who.name:
                    identity.keep_name(by)
                st.rerun()
