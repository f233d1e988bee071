"""Audit: plan one, see its cost, start it, watch it, stop it, go on with it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

import pandas as pd
import streamlit as st

from core.audit import launch
from core.audit.cost import estimate
from core.characters import brief
from core.datasets import Dataset
from core.errors import InputError
from core.reporting.words import plural
from core.runs import FINISHED, STOPPED, Plan, Progress, Run, create_run, list_runs, new_run_id
from core.settings import runs_folder
from pages.parts import entry, maps, state
from pages.parts.plan_form import plan_form
from pages.parts.words import LONGEST, duration, plain, problems_shown, tab

VIEWS = {"new": "New audit", "progress": "Progress", "list": "All audits"}
STARTING_SECONDS = 30.0
LOG_LINES = 12
MOST_FAILURES = 12


def new_audit() -> None:
    """The form, the cost and the start."""
    dataset = state.choose_dataset("Data set")
    if dataset is None:
        st.info("There is no data set yet. Bring pictures first; then choose model, texts and methods here.")
        st.page_link("pages/dataset.py", label="Bring pictures", icon=":material/arrow_forward:")
        return
    plan, problem = None, None
    try:
        plan = plan_form(dataset)
    except InputError as error:
        problem = str(error)
    with st.container(border=True):
        st.header("Cost and start", anchor=False)
        if plan is not None and not has_texts(plan, dataset):
            plan, problem = None, "no text to explain with: switch captions on, or give prompts or classes"
        if plan is None:
            st.warning(plain(problem), icon=":material/edit:")
        else:
            cost(plan, dataset)
        if st.button("Start the audit", type="primary", disabled=plan is None, icon=":material/play_arrow:") and plan:
            run = create_run(runs_folder() / new_run_id(), plan)
            act(launch.start, run)


def has_texts(plan: Plan, dataset: Dataset) -> bool:
    """Whether any picture has a text to be explained with."""
    own = plan.texts.captions and any(
        picture.captions for picture in dataset.pictures if picture.id in set(plan.images)
    )
    return bool(own or plan.texts.prompts or (plan.texts.classes and plan.texts.top_classes))


def cost(plan: Plan, dataset: Dataset) -> None:
    """What the plan will cost."""
    expected = estimate(plan, dataset)
    with st.container(horizontal=True):
        st.metric("Pictures", len(plan.images), border=True)
        st.metric("Methods", len(plan.methods), border=True)
        st.metric("Image forwards, at most", f"{expected.image_forwards:,.0f}", border=True)
        st.metric("Text forwards, at most", f"{expected.text_forwards:,.0f}", border=True)
        st.metric("Time", duration(expected.seconds), border=True, help="Known once this model has run here.")
    with st.expander("Cost by method"):
        parts = sorted(expected.by_method.items(), key=lambda part: -part[1])
        parts = [(maps.title(name), count) for name, count in parts]
        table = pd.DataFrame(parts, columns=["Part", "Image forwards"])
        most = max(float(table["Image forwards"].max()), 1.0)
        column = st.column_config.ProgressColumn(min_value=0, max_value=most, format="%.0f")
        st.dataframe(table, hide_index=True, column_config={"Image forwards": column})


def act(what: Callable[[Run], None], run: Run) -> None:
    """Do something to a run, then look at its progress."""
    what(run)
    state.show_run(run.id)
    st.session_state["wanted_view"] = "progress"
    st.rerun()


def watch() -> None:
    """Live progress of the run shown; the fragment stops asking once the run has stopped."""
    run = state.current_run()
    if run is None:
        st.info("No audit has been started yet.")
        return
    st.subheader(plain(run.plan.declared.title), anchor=False)
    st.caption(
        f"{plain(run.plan.model.title)} · {len(run.plan.images)} pictures · {len(run.plan.methods)} methods · "
        f"asked for {state.started(run)} · {plain(run.id)}"
    )
    moving = is_moving(run, state.progress_of(run))
    st.fragment(progress, run_every=1.0 if moving else None)(run, moving)


def is_moving(run: Run, progress: Progress) -> bool:
    """Whether a worker is at it, or has just been asked for."""
    if progress.state in STOPPED:
        return False
    written = max((path.stat().st_mtime for path in run.folder.glob("run.sqlite*")), default=0.0)
    return progress.alive or (progress.state == "running" and time.time() - written < STARTING_SECONDS)


def progress(run: Run, was_moving: bool) -> None:
    """State, stage, bar, counts, log and what can be done now."""
    with problems_shown():
        now = state.progress_of(run)
        moving = is_moving(run, now)
        if was_moving and not moving:
            st.rerun()
        died = not moving and now.state not in (*STOPPED, "planned")
        name, colour = state.STOPPED_EARLY if died else state.state_of(now)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.badge(name, color=colour)
            if moving and now.stage:
                st.text(brief(now.stage))
        share = 1.0 if now.state in FINISHED else now.share
        left = f" · about {duration(now.seconds_left)} left" if moving and now.seconds_left is not None else ""
        failed = f" · {plural(now.failed, 'part')} failed" if now.failed else ""
        st.progress(share, text=f"{now.images_done} of {now.images_total} pictures done{left}{failed}")
        if died:
            st.warning(
                "The process that worked on this audit has ended: it was killed, or the machine was short of memory or "
                "restarted. What is finished is kept, and Resume goes on from there.",
                icon=":material/warning:",
            )
        if now.message:
            st.text(brief(now.message, LONGEST))
        failures(run, now)
        buttons(run, now, moving)
        log(run)


def failures(run: Run, now: Progress) -> None:
    """What failed in a run that is done with errors."""
    lines = state.what_failed(run, now)
    if lines:
        more = [f"and {len(lines) - MOST_FAILURES} more"] if len(lines) > MOST_FAILURES else []
        listed = "".join(f"\n- {plain(line)}" for line in [*lines[:MOST_FAILURES], *more])
        st.warning(f"Not everything worked; the findings and the report say what.{listed}", icon=":material/warning:")


def buttons(run: Run, now: Progress, moving: bool) -> None:
    """What can be done with the run now."""
    with st.container(horizontal=True):
        if now.state in FINISHED:
            for page, label in (
                ("explore", "Explore the maps"),
                ("findings", "Read the findings"),
                ("report", "Get the report"),
            ):
                st.page_link(f"pages/{page}.py", label=label, icon=":material/arrow_forward:")
        elif moving:
            if st.button("Cancel", icon=":material/stop:", disabled=now.state == "cancelling"):
                launch.cancel(run)
                st.rerun()
        elif st.button("Start" if now.state == "planned" else "Resume", type="primary", icon=":material/play_arrow:"):
            act(launch.start, run)


def log(run: Run) -> None:
    """The last lines of the run's log. What the worker printed stays on the server: it may hold a traceback."""
    events = run.store.events(LOG_LINES) if run.store.path.exists() else []
    lines = [f"{clock(at)}  {brief(str(kind), 40)}: {brief(str(message), 300)}" for at, kind, message in events]
    st.caption("Log, latest last")
    st.code("\n".join(lines) or "nothing yet", language=None, wrap_lines=True)


def clock(at: object) -> str:
    """The time of an event; a stranger's run may hold anything there."""
    try:
        return f"{datetime.fromtimestamp(float(str(at))):%H:%M:%S}"
    except (ValueError, OverflowError, OSError):
        return "--:--:--"


def overview() -> None:
    """Every run with its state; one can be picked."""
    runs = list_runs(runs_folder())
    if not runs:
        st.info("No audit has been started yet.")
        return
    rows = []
    for run in runs:
        with problems_shown():
            now = state.progress_of(run)
            done = 1.0 if now.state in FINISHED else now.share
            rows.append(
                (
                    brief(run.plan.declared.title, 120),
                    state.state_of(now)[0],
                    done,
                    run.plan.model.title,
                    len(run.plan.images),
                    len(run.plan.methods),
                    state.started(run),
                    run.id,
                )
            )
    table = pd.DataFrame(rows, columns=["Title", "State", "Done", "Model", "Pictures", "Methods", "Asked for", "Run"])
    picked = st.dataframe(
        table,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        column_config={"Done": st.column_config.ProgressColumn(min_value=0, max_value=1, format="percent")},
        alt="Audits with their state",
    )
    st.caption("Tick a row to make it the audit shown on every page.")
    chosen = picked.selection.rows
    if chosen and rows[chosen[0]][-1] != st.session_state.get("run_id"):
        state.show_run(rows[chosen[0]][-1])
        st.rerun()


def default_view() -> str:
    """A run that isn't over is looked at first."""
    with problems_shown():
        run = state.current_run()
        if run is not None and state.progress_of(run).state not in STOPPED:
            return "progress"
    return "new"


entry.through_app("pages/audit.py")
st.title("Audit")
st.markdown(
    "Choose a model, the texts its product uses and the methods to explain it with. The work is done by a process "
    "of its own: closing this window does not stop it."
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
with problems_shown():
    {"new": new_audit, "progress": watch, "list": overview}[view or "new"]()
