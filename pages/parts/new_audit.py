"""The view of the page Audit in which a new audit is planned: the form, its cost and the start."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pandas as pd
import streamlit as st

from core.audit import launch, preview
from core.audit.cost import Estimate, estimate, has_speed
from core.content.words import duration, plural
from core.datasets import Dataset
from core.errors import InputError
from core.request import AuditRequest, NoTextError, begin, plan_of
from core.runs import ModelSpec, Plan, Run, new_run_id
from core.runs.access import check
from core.runs.succession import follow
from core.settings import runs_folder
from pages.parts import again, audit_name, entry, identity, maps, state
from pages.parts.fields import section
from pages.parts.plan_form import Draft, plan_form
from pages.parts.presets import images_of, is_bundled, time_of
from pages.parts.words import plain, problems_shown

PAGE = "pages/audit.py"
EVERY = 1.0  # seconds between two looks at the measurement of the speed
AGREED = "start_agreed"
LONG_SECONDS, MANY_FORWARDS = 3600.0, 100_000
BASIS = {"run": "from earlier audits of this model", "probe": "from a two-second measurement on this machine", "": ""}
NO_TEXT = "there is no text to explain: enable captions, or enter prompts or classes under “Texts”"


def show() -> None:
    """The form, the cost and the start."""
    dataset = state.choose_dataset("Dataset")
    if dataset is None:
        again.without_dataset()
        st.info("There is no dataset yet. Add images first; then choose the model, the texts and the methods here.")
        st.page_link("pages/dataset.py", label="Add images", icon=":material/arrow_forward:")
        return
    draft = plan_form(dataset, runs_folder() / new_run_id())
    plan, expected = None, None
    if draft.request is not None:
        try:
            plan = plan_of(draft.request, dataset)
            expected = estimate(plan, dataset, draft.capabilities)
        except NoTextError:
            draft.problem = NO_TEXT
        except InputError as error:
            draft.problem = str(error)
    if expected is not None:
        breakdown(expected)
    with st.bottom, st.container(border=True):
        bar(dataset, draft, plan, expected)


def bar(dataset: Dataset, draft: Draft, plan: Plan | None, expected: Estimate | None) -> None:
    """What the audit will cost and the start, in view wherever the form is scrolled to."""
    text, button = st.columns([5, 2], vertical_alignment="center")
    with text:
        if plan is None or expected is None:
            st.warning(plain(f"Cannot start: {draft.problem}"), icon=":material/edit:")
            if draft.problem == NO_TEXT and not has_speed(draft.model):
                measure(draft.model)
        else:
            basis = f" {BASIS[expected.timed]}" if expected.timed else ""
            st.markdown(
                f"**{time_of(expected, draft.model)}**{basis} · {images_of(len(plan.images), len(dataset.images))} · "
                f"{plural(len(plan.methods), 'method')} · {plural(len(plan.applications), 'analysis', 'analyses')} · "
                f"at most {expected.image_forwards:,.0f} image forward passes"
            )
            if expected.seconds is None:
                measure(draft.model)
    with button:
        asked = identity.button(
            "Start the audit",
            identity.START,
            type="primary",
            disabled=expected is None,
            icon=":material/play_arrow:",
            width="stretch",
        )
    agreed = st.session_state.pop(AGREED, False)
    if expected is None or draft.request is None:
        return
    if agreed or (asked and not is_long(expected)):
        start(draft.request, dataset, draft)
    elif asked:
        confirm(expected)


def is_long(expected: Estimate) -> bool:
    """Whether a person should be asked before this is started."""
    if expected.seconds is None:
        return expected.image_forwards > MANY_FORWARDS
    return expected.seconds > LONG_SECONDS


@st.dialog("Start a long audit?")
def confirm(expected: Estimate) -> None:
    """Ask before an audit of more than an hour."""
    time = "an unknown time" if expected.seconds is None else f"about {duration(expected.seconds)}"
    st.markdown(
        f"This audit is expected to take **{time}** for at most {expected.image_forwards:,.0f} image forward passes. "
        "It runs in the background and can be cancelled at any time; completed work is kept."
    )
    with st.container(horizontal=True):
        agreed = st.button("Start anyway", type="primary", key="start_anyway", on_click=_agree)
        # Either answer closes the question: the page runs again without it.
        if st.button("Back to the form", key="start_not") or agreed:
            st.rerun()


def _agree() -> None:
    st.session_state[AGREED] = True


def start(request: AuditRequest, dataset: Dataset, draft: Draft) -> None:
    """Begin the run under its name, which says from which one it was planned, and show its progress."""
    earlier = draft.predecessor
    with problems_shown():
        actor = identity.actor()
        check(actor, "reviewer", identity.START)
        run = begin(request, actor=actor)
        if earlier is not None:
            follow(run, earlier.run)
            again.forget()
        audit_name.keep(run, draft.name, dataset, earlier.run if earlier else None)
        act(partial(launch.start, workers=draft.workers), run)


def measure(model: ModelSpec) -> None:
    """Have a bundled model timed in a process of its own, once; others are timed when they are recognised."""
    if has_speed(model):
        entry.run_again(PAGE)
    found = preview.preview(model)
    if found.state == "none" and is_bundled(model):
        with problems_shown():
            preview.begin(model)
        found = preview.preview(model)
    if found.state == "running":
        st.fragment(_watch, run_every=EVERY)(model)
    elif found.state == "none":
        st.caption("The time is known once the model has been recognised (“Show what Loupe detects”).")


def _watch(model: ModelSpec) -> None:
    if preview.preview(model).state != "running":
        entry.run_again(PAGE)
        return
    st.caption(":material/timer: Measuring how fast this model runs on this machine …")


def breakdown(expected: Estimate) -> None:
    """The expected cost by part."""
    box, fields = section("Cost by part", "cost")
    if not fields.shown:
        return
    with box:
        if expected.sampled:
            st.caption(f"{plain(expected.sampled)} Change the option forwards to measure more.")
        st.caption(f"Text forward passes, at most: {expected.text_forwards:,.0f}")
        parts = [(maps.title(name), count) for name, count in sorted(expected.by_method.items(), key=lambda p: -p[1])]
        table = pd.DataFrame(parts, columns=["Part", "Image forward passes"])
        most = max(float(table["Image forward passes"].max()), 1.0)
        column = st.column_config.ProgressColumn(min_value=0, max_value=most, format="%.0f")
        st.dataframe(table, hide_index=True, column_config={"Image forward passes": column})


def act(what: Callable[[Run], None], run: Run) -> None:
    """Change a run, then show its progress."""
    what(run)
    state.show_run(run.id)
    st.session_state["wanted_view"] = "progress"
    st.rerun()
