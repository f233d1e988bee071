"""Which run and which data set a session looks at, and cached readings of them.

Both ids are kept in the address, so that a reload, a shared link or a second window shows the same thing.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Literal

import pandas as pd
import streamlit as st

from core.characters import brief
from core.datasets import Dataset, load_dataset
from core.errors import LoupeError
from core.evaluation.summary import Summary, summarise
from core.findings import Finding, judge
from core.methods.applications import APPLICATIONS
from core.reporting.words import plural
from core.runs import FINISHED, Progress, Run, list_runs, open_run, read_results
from core.settings import datasets_folder, runs_folder
from pages.parts.words import plain, problems_shown

Colour = Literal["red", "orange", "green", "blue"]
MOST_FAILURES = 4
STOPPED_EARLY: tuple[str, Colour] = ("stopped without finishing", "red")
STATE_NAMES = {
    "planned": "planned",
    "running": "running",
    "cancelling": "cancelling",
    "cancelled": "cancelled",
    "reporting": "writing the report",
    "done": "done",
    "done_with_errors": "done with errors",
    "failed": "failed",
}


def choose_run() -> None:
    """The selector of the sidebar. Settles the run of this session."""
    runs = {run.id: run for run in list_runs(runs_folder())}
    if not runs:
        st.caption("No audit yet.")
        st.session_state.pop("run_id", None)
        return
    wanted = st.session_state.pop("wanted_run", None) or st.session_state.get("run_id") or st.query_params.get("run")
    st.session_state["run_id"] = wanted if wanted in runs else next(iter(runs))
    st.selectbox("Audit shown", list(runs), format_func=lambda id: run_label(runs[id]), key="run_id")
    st.query_params["run"] = st.session_state["run_id"]
    with problems_shown():
        run = runs[st.session_state["run_id"]]
        now = progress_of(run)
        name, colour = state_of(now)
        st.badge(name, color=colour)
        for line in what_failed(run, now)[:MOST_FAILURES]:
            st.caption(plain(line))
        st.caption(f"{len(run.plan.images)} pictures · {plain(started(run))}")


def state_of(now: Progress) -> tuple[str, Colour]:
    """The state of a run as a person says it, and the colour of its badge."""
    if now.died:
        return STOPPED_EARLY
    if now.state == "done_with_errors":
        return STATE_NAMES[now.state], "orange"
    # A stranger's run may hold any word there.
    name = STATE_NAMES.get(now.state, "in an unknown state")
    return name, "green" if now.state == "done" else "red" if now.state == "failed" else "blue"


def what_failed(run: Run, now: Progress) -> list[str]:
    """What of a finished run failed, a line each; the findings and the report say the same at length."""
    if now.state not in FINISHED:
        return []
    lines = [f"{plural(now.failed, 'part')} of {now.total} failed for good."] if now.failed else []
    problems = run.manifest.get("application_problems", {})
    if isinstance(problems, dict):
        for name, reason in problems.items():
            title = APPLICATIONS[name].title if name in APPLICATIONS else str(name)
            lines.append(f"{brief(title, 60)} failed: {brief(str(reason), 300)}")
    if not lines and now.state == "done_with_errors":
        lines.append("Some explanations failed; the findings list them.")
    return lines


def show_run(run_id: str) -> None:
    """Make `run_id` the run of this session, from the next script run on."""
    st.session_state["wanted_run"] = run_id


def show_dataset(dataset_id: str) -> None:
    """Make `dataset_id` the data set of this session, from the next script run on."""
    st.session_state["wanted_dataset"] = dataset_id


def current_run() -> Run | None:
    """The run of this session, or None if there is none. Raises `RunError` if it is damaged."""
    run_id = st.session_state.get("run_id")
    return open_run(runs_folder() / run_id) if run_id else None


def run_label(run: Run) -> str:
    """Title and date of a run, for a list."""
    try:
        title = brief(run.plan.declared.title, 80)
    except (LoupeError, OSError, ValueError):
        title = "damaged run"
    return f"{title} · {started(run)}"


def started(run: Run) -> str:
    """When the run was asked for, read from its id."""
    try:
        return datetime.strptime(run.id[:15], "%Y%m%d-%H%M%S").strftime("%d %b %Y, %H:%M")
    except ValueError:
        return run.id


def progress_of(run: Run) -> Progress:
    """Where the run stands."""
    progress = run.progress()
    # The worker lays down the units once the model is loaded; until then the plan knows how much there is.
    return progress if progress.total else replace(progress, images_total=len(run.plan.images))


def stored_datasets() -> list[Dataset]:
    """The data sets of this workspace, the latest first. Damaged ones are left out."""
    files = sorted(datasets_folder().glob("*/dataset.json"), key=lambda file: file.stat().st_mtime, reverse=True)
    found = []
    for file in files:
        try:
            found.append(_dataset(str(file.parent), file.stat().st_mtime_ns))
        except LoupeError:
            continue
    return found


def choose_dataset(label: str) -> Dataset | None:
    """A selector of the stored data sets; the choice holds on every page."""
    found = {dataset.id: dataset for dataset in stored_datasets()}
    if not found:
        return None
    wanted = (
        st.session_state.pop("wanted_dataset", None)
        or st.session_state.get("dataset_id")
        or st.query_params.get("dataset")
    )
    st.session_state["dataset_id"] = wanted if wanted in found else next(iter(found))
    chosen = st.selectbox(
        label,
        list(found),
        format_func=lambda id: f"{found[id].name} · {len(found[id].pictures)} pictures · {id[:8]}",
        key="dataset_id",
        persist_state="session",
    )
    st.query_params["dataset"] = chosen
    return found[chosen]


def dataset_of(run: Run) -> Dataset:
    """The run's pictures."""
    root = run.dataset_root
    file = root / "dataset.json"
    return _dataset(str(root), file.stat().st_mtime_ns) if file.exists() else run.dataset


def summary_of(run: Run) -> Summary:
    """The tables of what is done so far."""
    return _summary(str(run.folder), _version(run))


def findings_of(run: Run) -> tuple[Finding, ...]:
    """The register of what is done so far."""
    return _findings(str(run.folder), _version(run))


def rows_of(run: Run, image: str) -> pd.DataFrame:
    """The result rows of one picture, read from its own unit only."""
    return _rows(str(run.folder), _version(run), image)


def _version(run: Run) -> tuple[int, int]:
    progress = progress_of(run)
    return progress.done, progress.failed


@st.cache_resource(max_entries=8, show_spinner=False)
def _dataset(root: str, changed: int) -> Dataset:
    return load_dataset(Path(root))


@st.cache_resource(max_entries=3, show_spinner="Reading the results …")
def _summary(folder: str, version: tuple[int, int]) -> Summary:
    return summarise(Run(Path(folder)))


@st.cache_resource(max_entries=3, show_spinner="Judging the results …")
def _findings(folder: str, version: tuple[int, int]) -> tuple[Finding, ...]:
    return judge(Run(Path(folder)), _summary(folder, version))


@st.cache_resource(max_entries=32, show_spinner=False)
def _rows(folder: str, version: tuple[int, int], image: str) -> pd.DataFrame:
    run = Run(Path(folder))
    units = run.store.units()
    keys = [
        unit["key"]
        for unit, shard in zip(units, run.plan.shards(), strict=False)
        if image in shard and unit["state"] == "done"
    ]
    rows = read_results(run.folder, units=keys)
    return rows[rows["image"] == image].reset_index(drop=True)
