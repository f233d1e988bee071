"""The run and the dataset of a session, and cached readings of them.

Both ids are part of the address, so that a reload, a shared link or a second window shows the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

import pandas as pd
import streamlit as st

from core.applications.registry import APPLICATIONS
from core.characters import brief
from core.content.words import plural, state_word
from core.datasets import Dataset, load_dataset
from core.errors import LoupeError
from core.evaluation.summary import Summary, summarise
from core.findings import Finding, judge
from core.findings.kept import is_large, kept_findings, kept_summary
from core.models.listing import embedded_models, embedded_name
from core.runs import FINISHED, Progress, Run, open_run, read_results
from core.runs.opened import READ_ONLY, is_opened
from core.runs.shelf import label_of, listed_run, shelf_id, trash_folder
from core.settings import datasets_folder

READ = "results_read"
Colour = Literal["red", "orange", "green", "blue"]
MOMENT = "%d %b %Y, %H:%M"
COLOURS: dict[str, Colour] = {"done": "green", "done_with_errors": "orange", "failed": "red"}


def state_of(now: Progress) -> tuple[str, Colour]:
    """The state of a run in the words of the report, and the colour of its badge."""
    return state_word(now), "red" if now.died else COLOURS.get(now.state, "blue")


def what_failed(run: Run, now: Progress) -> list[str]:
    """What failed in a finished run, one line each; the findings and the report give the details."""
    if now.state not in FINISHED:
        return []
    lines = (
        [f"{now.failed:,} of {plural(now.total, 'group')} of images failed after all attempts."] if now.failed else []
    )
    problems = run.manifest.get("application_problems", {})
    if isinstance(problems, dict):
        for name, reason in problems.items():
            title = APPLICATIONS[name].card.title if name in APPLICATIONS else str(name)
            lines.append(f"{brief(title, 60)} failed: {brief(str(reason), 300)}")
    if not lines and now.state == "done_with_errors":
        lines.append("Some explanations failed; the findings list them.")
    return lines


def show_run(run_id: str) -> None:
    """Make `run_id` the run of this session, from the next script run on."""
    st.session_state["wanted_run"] = run_id


def show_dataset(dataset_id: str) -> None:
    """Make `dataset_id` the dataset of this session, from the next script run on."""
    st.session_state["wanted_dataset"] = dataset_id


def current_run() -> Run | None:
    """The run of this session, or None if there is none. Raises `RunError` if it is damaged."""
    run = listed_run(st.session_state.get("run_id", ""))
    return open_run(run.folder) if run is not None else None


def trashed(name: str) -> Run:
    """A run in the trash."""
    return open_run(trash_folder() / name)


def dataset_name(dataset: Dataset | StoredDataset) -> str:
    """What people call the dataset."""
    return label_of(f"dataset:{dataset.root.name}").name or dataset.name


def dataset_of_run(run: Run) -> str:
    """What people call the dataset of a run, also of one that is not stored here; its id where it cannot be read."""
    file = run.dataset_root / "dataset.json"
    try:
        return dataset_name(_stored(str(file.parent), file.stat().st_mtime_ns))
    except (LoupeError, OSError):
        return f"not found (id {run.plan.dataset[:8]})"


def model_title(run: Run) -> str:
    """What people call the model of a run: the title that was recorded, or that it has in the list of models."""
    spec = run.plan.model
    own = embedded_name(spec.name) if not (spec.pretrained or spec.weights) else None
    known = next((model.title for model in embedded_models() if model.name == own), spec.title)
    return str(run.manifest.get("model", {}).get("title") or known)


def model_and_id(run: Run) -> str:
    """The title of the model, and the name by which the command line knows it where the title is another."""
    title, spec = model_title(run), run.plan.model.title
    return title if spec == title else f"{title}, id {spec}"


def added(dataset: Dataset | StoredDataset) -> str:
    """When the dataset was stored; empty if it is not stored any more."""
    file = dataset.root / "dataset.json"
    return datetime.fromtimestamp(file.stat().st_mtime).strftime(MOMENT) if file.exists() else ""


def title_of(run: Run) -> str:
    """The name of an audit: the one that it was given in the list, or its title in the report."""
    return label_of(shelf_id(run)).name or brief(run.plan.declared.title, 80)


def run_label(run: Run) -> str:
    """Name and date of an audit, for a list."""
    try:
        title = title_of(run)
    except (LoupeError, OSError, ValueError):
        title = "damaged audit"
    return " · ".join([title, started(run), *([READ_ONLY] if is_opened(run) else [])])


def started(run: Run) -> str:
    """When the run was requested; of one from elsewhere, when its worker started."""
    return datetime.fromtimestamp(run.requested).strftime(MOMENT)


def progress_of(run: Run) -> Progress:
    """The progress of the run."""
    progress = run.progress()
    # The worker registers the units once the model is loaded; until then the plan gives the number of images.
    return progress if progress.total else replace(progress, images_total=len(run.plan.images))


@dataclass(frozen=True)
class StoredDataset:
    """What lists show of a stored dataset; `images` is their number. A list of large ones must not hold all of them."""

    id: str
    name: str
    images: int
    root: Path


def stored_datasets() -> list[StoredDataset]:
    """The datasets of this workspace, latest first, without damaged ones."""
    files = sorted(datasets_folder().glob("*/dataset.json"), key=lambda file: file.stat().st_mtime, reverse=True)
    datasets = []
    for file in files:
        try:
            datasets.append(_stored(str(file.parent), file.stat().st_mtime_ns))
        except LoupeError:
            continue
    return datasets


def choose_dataset(label: str) -> Dataset | None:
    """A selector of the stored datasets; the choice applies to every page."""
    stored = {dataset.id: dataset for dataset in stored_datasets()}
    if not stored:
        return None
    wanted = (
        st.session_state.pop("wanted_dataset", None)
        or st.session_state.get("dataset_id")
        or st.query_params.get("dataset")
    )
    st.session_state["dataset_id"] = wanted if wanted in stored else next(iter(stored))
    chosen = st.selectbox(
        label,
        list(stored),
        format_func=lambda id: _dataset_label(stored[id]),
        key="dataset_id",
        persist_state="session",
    )
    st.query_params["dataset"] = chosen
    return dataset_at(stored[chosen].root)


def _dataset_label(dataset: StoredDataset) -> str:
    """Name, number of images and id of a dataset; a name that is the number is said once."""
    return " · ".join(dict.fromkeys((dataset_name(dataset), plural(dataset.images, "image"), dataset.id[:8])))


def dataset_at(root: Path) -> Dataset | None:
    """The dataset stored in this folder, or None if there is none any more."""
    file = root / "dataset.json"
    return _dataset(str(root), file.stat().st_mtime_ns) if file.exists() else None


def dataset_of(run: Run) -> Dataset:
    """The run's images."""
    root = run.dataset_root
    file = root / "dataset.json"
    return _dataset(str(root), file.stat().st_mtime_ns) if file.exists() else run.dataset


@contextmanager
def reading(run: Run) -> Iterator[None]:
    """While the body reads the results for the first time in a session, a page says so at once.

    The spinner of a cached reading waits half a second, and again between two readings.
    """
    key = str(run.folder), version_of(run)
    place = st.empty()
    if st.session_state.get(READ) != key:
        place.caption(":material/hourglass_top: This audit is being read …")
    try:
        yield
    finally:
        place.empty()
    st.session_state[READ] = key


def summary_of(run: Run) -> Summary:
    """The tables of the results so far."""
    return _summary(str(run.folder), version_of(run))


def findings_of(run: Run) -> tuple[Finding, ...]:
    """The register of findings on the results so far."""
    return _findings(str(run.folder), version_of(run))


def rows_of(run: Run, image: str) -> pd.DataFrame:
    """The result rows of one image, read from its own unit only."""
    return _rows(str(run.folder), version_of(run), image)


def version_of(run: Run) -> tuple[int, int]:
    """What a cached reading of the results depends on: how many units are done, and how many failed."""
    progress = progress_of(run)
    return progress.done, progress.failed


# Few: one of 100,000 images takes 250 MB.
@st.cache_resource(max_entries=3, show_spinner=False)
def _dataset(root: str, changed: int) -> Dataset:
    return load_dataset(Path(root))


@st.cache_resource(max_entries=1000, show_spinner=False)
def _stored(root: str, changed: int) -> StoredDataset:
    dataset = _dataset(root, changed)
    return StoredDataset(dataset.id, dataset.name, len(dataset.images), dataset.root)


@st.cache_resource(max_entries=3, show_spinner="Reading the results …")
def _summary(folder: str, version: tuple[int, int]) -> Summary:
    run = Run(Path(folder))
    return kept_summary(run) if is_large(run) else summarise(run)


@st.cache_resource(max_entries=3, show_spinner="Evaluating the rules …")
def _findings(folder: str, version: tuple[int, int]) -> tuple[Finding, ...]:
    run = Run(Path(folder))
    return kept_findings(run) if is_large(run) else judge(run, _summary(folder, version))


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
