"""The review of a finding on a page: its state, and a form that adds an entry to the review log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

import streamlit as st

from core.content.words import plural
from core.findings import Finding
from core.reporting.assurance import decision_text, response_text, said
from core.runs import Run
from core.runs.access import Actor
from core.runs.review import Kind, Review, add_entry, finding_review, load_review, standing
from pages.parts import identity
from pages.parts.words import plain, problems_shown

COLOURS: dict[str, Any] = {"open": "gray", "accepted": "green", "dismissed": "violet"}


class Act(NamedTuple):
    """A kind of entry: its button, the icon of it, and the button that enters it."""

    button: str
    icon: str
    submit: str


ACTS: dict[Kind, Act] = {
    "comment": Act("Comment", "comment", "Add the comment"),
    "dismiss": Act("Dismiss", "block", "Dismiss the finding"),
    "accept": Act("Accept", "check", "Accept the finding"),
    "owner": Act("Owner", "person", "Name the owner"),
    "due": Act("Due date", "event", "Set the due date"),
}
# On a card, and among its details.
FIRST: tuple[Kind, ...] = ("comment", "dismiss")
FURTHER: tuple[Kind, ...] = ("accept", "owner", "due")
# What was decided already is not offered again.
_DECIDED = {"accepted": "accept", "dismissed": "dismiss"}
FINAL = (
    "An entry of the review log cannot be changed or removed. The report contains it once it has been generated again."
)


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


def decided(run: Run, findings: Sequence[Finding]) -> dict[str, str]:
    """The badge of each finding that was accepted or dismissed, by its id; none where the log is damaged, which is then
    shown.
    """
    with problems_shown():
        log = load_review(run)
        return {item.id: badge(log, item) for item in findings if finding_review(log, item.id).decided is not None}
    return {}


def lines(item: Finding, review: Review, *, whole: bool) -> list[str]:
    """What was entered about a finding: the decision with its author, date and reason, and the last comment; all of it
    if `whole`.
    """
    about = finding_review(review, item.id)
    told = [f"Decision: {decision_text(about)}"] if about.decided or about.action else []
    comments = [f"{entry.by}, {entry.at[:10]}: {entry.why}" for entry in about.comments]
    if not whole:
        earlier = f" ({plural(len(comments) - 1, 'earlier comment')})" if len(comments) > 1 else ""
        return [*told, *(f"{one}{earlier}" for one in comments[-1:])]
    told += [f"Owner: {said(about.owner)}"] if about.owner else []
    told += [f"Due: {said(about.due)}"] if about.due else []
    told += [f"Response: {response_text(about)}"] if about.response else []
    return [*told, *comments]


def panel(run: Run, item: Finding, review: Review) -> None:
    """The further kinds of entries, and the form of one that was begun."""
    with st.container(horizontal=True):
        buttons(run, item, review, FURTHER)
    form(run, item, review, FURTHER)


def buttons(run: Run, item: Finding, review: Review, kinds: Sequence[Kind]) -> None:
    """The button of each kind of entry, which opens its form and closes any other."""
    made = _DECIDED.get(finding_review(review, item.id).decision)
    for kind in kinds:
        if kind != made:
            act = ACTS[kind]
            icon = f":material/{act.icon}:"
            st.button(act.button, icon=icon, key=f"{kind}-{item.id}", on_click=_begin, args=(run, item, kind))


def form(run: Run, item: Finding, review: Review, kinds: Sequence[Kind]) -> None:
    """The form of the entry that was begun about a finding, if it is one of these kinds."""
    begun = st.session_state.get(_begun(run))
    if begun is None or begun[0] != item.id or begun[1] not in kinds:
        return
    kind: Kind = begun[1]
    # The fields are new after each entry, and keep what was typed where one was refused.
    key = f"review-{item.id}-{sum(entry.finding == item.id for entry in review.entries)}"
    with st.form(key):
        who = identity.actor()
        by = who.name or identity.ask_name(f"{key}-by")
        value = ""
        if kind == "owner":
            value = st.text_input("Owner of the corrective action", key=f"{key}-owner", max_chars=200)
        elif kind == "due":
            chosen = st.date_input("Due date", value=None, key=f"{key}-due")
            value = chosen.isoformat() if isinstance(chosen, date) else ""
        label = {"comment": "Comment", "dismiss": "Reason"}.get(kind, "Reason or remark")
        why = st.text_area(label, key=f"{key}-why", max_chars=4_000)
        st.caption(FINAL)
        with st.container(horizontal=True):
            entered = identity.button(ACTS[kind].submit, "add to the review log", form=True, type="primary")
            st.form_submit_button("Cancel", on_click=_end, args=(run,))
        if entered:
            with problems_shown():
                add_entry(run, who if who.name else Actor(by), kind, item.id, value, why)
                if not who.name:
                    identity.keep_name(by)
                _end(run)
                st.rerun()


def _begun(run: Run) -> str:
    """Where a session keeps the one form that is open: the id of its finding, and the kind of entry."""
    return f"review-form-{run.id}"


def _begin(run: Run, item: Finding, kind: Kind) -> None:
    st.session_state[_begun(run)] = (item.id, kind)


def _end(run: Run) -> None:
    st.session_state.pop(_begun(run), None)
