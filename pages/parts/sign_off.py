"""The approval record of a report on a page: its steps, who may take the next one, and why somebody may not."""

from __future__ import annotations

import streamlit as st

from core.reporting.assurance import signed
from core.runs import Run
from core.runs.access import Actor
from core.runs.opened import is_opened
from core.runs.review import STEPS, Standing, StepKind, add_entry, load_review, obstacle, standing
from pages.parts import identity
from pages.parts.review import FINAL
from pages.parts.words import plain, problems_shown

TITLES: dict[StepKind, str] = {
    "prepared": "Prepare",
    "reviewed": "Review",
    "approved": "Approve",
    "superseded": "Supersede",
}
ICONS: dict[StepKind, str] = {
    "prepared": ":material/edit:",
    "reviewed": ":material/rate_review:",
    "approved": ":material/verified:",
    "superseded": ":material/history:",
}


def show(run: Run) -> None:
    """Version and status of the report, who took which step, and the steps that are possible now."""
    with problems_shown(), st.expander("Approval record", expanded=True, icon=":material/how_to_reg:"):
        review = load_review(run)
        now = standing(review)
        st.markdown(plain(f"Version {now.version}, {now.status}. {people(now)}"))
        if is_opened(run):
            st.caption("Steps are taken where the bundle was made.")
            return
        st.caption(
            "These steps are entries of the review log; none of them puts a signature into the PDF. The person who "
            "prepared a version, or started its audit, cannot review or approve it."
        )
        who = identity.actor()
        # The fields are new after each entry, and keep what was typed where one was refused.
        key = f"sign-off-{run.id}-{len(review.entries)}"
        if who.name:
            st.caption(plain(f"Entries are made as {identity.told(who)}."))
            identity.rename_button("sign-off-rename")
        else:
            who = Actor(" ".join(identity.ask_name(f"{key}-by").split()))
        why = st.text_input("Reason or remark (needed to supersede a report)", key=f"{key}-why", max_chars=1_000)
        st.caption(FINAL)
        barriers = {kind: obstacle(run, review, who, kind) for kind in STEPS}
        with st.container(horizontal=True):
            for kind, problem in barriers.items():
                pressed = st.button(
                    TITLES[kind],
                    key=f"{key}-{kind}",
                    icon=ICONS[kind],
                    disabled=bool(problem),
                    help=plain(problem) if problem else None,
                )
                if pressed and not problem:
                    add_entry(run, who, kind, why=why)
                    if not who.verified:
                        identity.keep_name(who.name)
                    st.rerun()
        for line in dict.fromkeys(f"{TITLES[kind]}: {problem}." for kind, problem in barriers.items() if problem):
            st.caption(plain(line))


def people(now: Standing) -> str:
    """Who prepared, reviewed and approved this version, in one line."""
    preparers = ", ".join(dict.fromkeys(now.preparers))
    steps = {"reviewed by": now.reviewed, "approved by": now.approved, "superseded by": now.superseded}
    parts = [f"prepared by {preparers}"] if preparers else []
    parts += [f"{words} {signed(entry)}" for words, entry in steps.items() if entry is not None]
    line = "; ".join(parts)
    return f"{line[:1].upper()}{line[1:]}." if line else ""
