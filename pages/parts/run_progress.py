"""The progress of a run: state, steps, time left, what failed, the log, and the actions that its state allows."""

from __future__ import annotations

from datetime import datetime

import streamlit as st

from core.audit import launch
from core.audit.death import death
from core.characters import brief
from core.content.words import duration, plural
from core.runs import FINISHED, STOPPED, Progress, Run
from core.runs.shelf import may_work
from core.runs.steps import Step
from pages.parts import commands, entry, identity, state
from pages.parts.words import LONGEST, plain, problems_shown

PAGE = "pages/audit.py"
LOG_LINES = 12
MOST_FAILURES = 12
# Seconds between two looks at a run: one that is worked on, and one that another window may resume.
MOVING, RESTING = 1.0, 3.0
MARKS = {
    "waiting": ":gray[:material/radio_button_unchecked:]",
    "running": ":blue[:material/play_circle:]",
    "done": ":green[:material/check_circle:]",
    "failed": ":orange[:material/warning:]",
    "left out": ":gray[:material/block:]",
}
STATES = {"left out": "not run"}


def watch() -> None:
    """Live progress of the selected run; nothing is looked at any more once it has finished."""
    run = state.current_run()
    if run is None:
        st.info("No audit has been started yet.")
        return
    st.subheader(plain(state.title_of(run)), anchor=False)
    st.caption(
        f"{plain(state.model_and_id(run))} · {plural(len(run.plan.images), 'image')} · "
        f"{plural(len(run.plan.methods), 'method')} · "
        f"requested {state.started(run)} · run {plain(run.id)}"
    )
    now = state.progress_of(run)
    moving = is_moving(now)
    every = None if now.state in FINISHED else MOVING if moving else RESTING
    st.fragment(progress, run_every=every)(run, moving)


def is_moving(progress: Progress) -> bool:
    """Whether a worker has the run; whoever starts one holds the run for it from the first moment."""
    return progress.alive and progress.state not in STOPPED


def progress(run: Run, was_moving: bool) -> None:
    """State, bar, steps, what failed, log and the possible actions."""
    with problems_shown():
        now = state.progress_of(run)
        moving = is_moving(now)
        if was_moving != moving:
            entry.run_again(PAGE)
        name, colour = state.state_of(now)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.badge(name, color=colour)
            if moving and now.stage:
                st.text(brief(now.stage))
        st.progress(now.share, text=bar_text(now, moving))
        if now.died:
            st.warning(
                f"{plain(death(run, now))} Completed work is kept; “Resume” continues from this point.",
                icon=":material/warning:",
            )
        if now.message:
            st.text(brief(now.message, LONGEST))
        failures(run, now)
        buttons(run, now, moving)
        steps(now, moving)
        log(run)


def bar_text(now: Progress, moving: bool) -> str:
    """What is done of all work, and the time that is left of it."""
    # A share is not called whole before the run is.
    done = 100 if now.state in FINISHED else min(int(100 * now.share), 99)
    parts = [f"{done} % of all work", f"{now.images_done} of {now.images_total} images explained"]
    if moving and now.state == "cancelling":
        parts.append("stopping")
    elif moving and now.seconds_left is None:
        parts.append("time left not known yet")
    elif moving:
        parts.append(f"about {duration(now.seconds_left)} left")
    if now.failed:
        parts.append(f"{plural(now.failed, 'group')} of images failed")
    return " · ".join(parts)


def steps(now: Progress, moving: bool) -> None:
    """The steps of the run with a mark, a state in words and a time each."""
    if not now.steps:
        return
    lines = ["| Step | State | Time |", "| --- | --- | --- |"]
    for step in now.steps:
        mark = MARKS[step.state]
        name = plain(brief(step.title, 80))
        lines.append(f"| {mark} {name} | {state_of_step(step, moving)} | {time_of_step(step, moving)} |")
    st.markdown("\n".join(lines))


def state_of_step(step: Step, moving: bool) -> str:
    """The state of a step in words."""
    if step.state != "running":
        return STATES.get(step.state, step.state)
    if not moving:
        return "interrupted"
    return f"running, {min(int(100 * step.share), 99)} %" if step.share else "running"


def time_of_step(step: Step, moving: bool) -> str:
    """How long a step took, or is expected to take where this machine has timed it before."""
    if step.state in ("done", "failed"):
        return duration(step.seconds) if step.seconds else ""
    if step.state == "waiting" and step.measured:
        return f"about {duration(step.expected)}"
    return ""


def failures(run: Run, now: Progress) -> None:
    """What failed in a run that finished with errors."""
    lines = state.what_failed(run, now)
    if lines:
        more = [f"and {len(lines) - MOST_FAILURES} more"] if len(lines) > MOST_FAILURES else []
        listed = "".join(f"\n- {plain(line)}" for line in [*lines[:MOST_FAILURES], *more])
        st.warning(
            f"Some of the work failed; the findings and the report list them.{listed}", icon=":material/warning:"
        )


def buttons(run: Run, now: Progress, moving: bool) -> None:
    """The actions that the state of the run allows."""
    with st.container(horizontal=True):
        if now.state in FINISHED:
            for page, label in (
                ("explore", "Explore the maps"),
                ("findings", "Read the findings"),
                ("report", "Open the report"),
            ):
                st.page_link(f"pages/{page}.py", label=label, icon=":material/arrow_forward:")
        elif moving:
            if identity.button("Cancel", identity.STOP, icon=":material/stop:", disabled=now.state == "cancelling"):
                launch.cancel(run)
                st.rerun()
        elif not may_work(run):
            st.caption("This audit was opened from another folder for reading. This command continues it:")
            st.code(commands.with_run("python -m core resume RUN", run), language="bash", wrap_lines=True)
        elif identity.button(
            "Start" if now.state == "planned" else "Resume",
            identity.START,
            type="primary",
            icon=":material/play_arrow:",
        ):
            launch.start(run)
            st.rerun()


def log(run: Run) -> None:
    """The last entries of the run's log. The output of the worker stays on the server: it may hold a traceback."""
    events = run.store.events(LOG_LINES) if run.store.path.exists() else []
    lines = [f"{clock(at)}  {brief(str(kind), 40)}: {brief(str(message), 300)}" for at, kind, message in events]
    st.caption("Log, most recent entry last")
    st.code("\n".join(lines) or "no entries yet", language=None, wrap_lines=True)


def clock(at: object) -> str:
    """The time of an event; a run from outside may hold any value there."""
    try:
        return f"{datetime.fromtimestamp(float(str(at))):%H:%M:%S}"
    except (ValueError, OverflowError, OSError):
        return "--:--:--"
