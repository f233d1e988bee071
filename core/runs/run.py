"""A run directory: `plan.json`, `manifest.json`, `run.sqlite`, `results/*.parquet`, `report/`."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from core.datasets import Dataset, load_dataset
from core.drafts import draft_path
from core.errors import RunError
from core.runs.files import base_name
from core.runs.manifest import write_json
from core.runs.plan import Plan, canonical, load_plan
from core.runs.results import ORDER, SCHEMA, read_results
from core.runs.store import Progress, RunStore
from core.settings import opened_folder, runs_folder
from core.storage import without_folders

if TYPE_CHECKING:
    import pandas as pd
else:
    from core.deferred import pandas as pd

Value = TypeVar("Value")


@dataclass(frozen=True)
class Run:
    """A run on disk. Reading it never needs torch."""

    folder: Path

    @property
    def id(self) -> str:
        """The name of its folder."""
        return self.folder.name

    @property
    def handle(self) -> str:
        """What the command line finds it by: its id in the workspace, its folder elsewhere."""
        homes = (runs_folder().resolve(), opened_folder().resolve())
        return self.id if self.folder.parent.resolve() in homes else str(self.folder)

    @property
    def requested(self) -> float:
        """When it was asked for, in seconds since 1970.

        From its id; where that tells no time, when its worker started, which a copy of the folder does not change;
        before that, when its plan was written.
        """
        try:
            return time.mktime(time.strptime(self.id[:15], "%Y%m%d-%H%M%S"))
        except (ValueError, OverflowError):
            return self._started() or self._planned()

    def _started(self) -> float:
        """When its worker started, in seconds since 1970; 0 where the manifest does not tell."""
        try:
            return datetime.fromisoformat(self.manifest["started"]).timestamp()
        except (RunError, OSError, KeyError, TypeError, ValueError, OverflowError):
            return 0.0  # a list must be able to order damaged runs too; the pages of the run say what is damaged

    def _planned(self) -> float:
        plan = self.folder / "plan.json"
        return plan.stat().st_mtime if plan.exists() else 0.0

    @cached_property
    def plan(self) -> Plan:
        """What was asked for."""
        return load_plan(self.folder / "plan.json")

    @property
    def dataset_root(self) -> Path:
        """The folder of its dataset; a relative one is meant from the run's own folder."""
        root = Path(self.plan.dataset_root)
        return root if root.is_absolute() else (self.folder / root).resolve()

    @cached_property
    def dataset(self) -> Dataset:
        """The images. Raises `RunError` if they are no longer where the plan says."""
        root = self.dataset_root
        if not root.exists():
            raise RunError(f"the dataset of {self.handle} is missing (it was in {root.name}); restore it")
        dataset = load_dataset(root)
        if dataset.id != self.plan.dataset:
            raise RunError(
                f"{root.name} contains a dataset other than the one {self.handle} was planned for; restore it"
            )
        return dataset

    @property
    def store(self) -> RunStore:
        """Its state."""
        return RunStore(self.folder)

    @property
    def manifest(self) -> dict[str, Any]:
        """Where its results came from; empty until a worker has started."""
        path = self.folder / "manifest.json"
        try:
            found = json.loads(path.read_text()) if path.exists() else {}
        except (ValueError, RecursionError) as error:
            raise RunError(f"{path} is damaged: {error}") from error
        if not isinstance(found, dict):
            raise RunError(f"{path} is damaged: it contains no table of names and values")
        return found

    @property
    def public_manifest(self) -> dict[str, Any]:
        """The manifest as it leaves the machine: of paths, other runs' included, only the last part is left."""
        told = self.manifest
        if "compare_with" in told:
            told = {**told, "compare_with": [base_name(str(folder)) for folder in told["compare_with"]]}
        return {name: _public(value) for name, value in told.items()}

    def progress(self) -> Progress:
        """Where it stands."""
        return self.store.progress()

    def results(self, columns: list[str] | None = None) -> pd.DataFrame:
        """The rows of its finished units (see `core.runs.results.SCHEMA`)."""
        return read_results(self.folder, columns, self.done())

    def results_with(self, column: str, columns: list[str]) -> pd.DataFrame:
        """These columns of the rows that have a value in `column`; the others, and their maps, take no memory."""
        return self._chosen(column, None, columns)

    def results_of(self, column: str, values: Collection[str], columns: list[str]) -> pd.DataFrame:
        """These columns of the rows that have one of the values in `column`; likewise."""
        return self._chosen(column, values, columns)

    def _chosen(self, column: str, values: Collection[str] | None, columns: list[str]) -> pd.DataFrame:
        """What both of these give: a run that has its rows elsewhere says where in `results` and here."""
        wanted = pc.field(column).is_valid()
        if values is not None:
            # With its type, which no values at all would not have.
            wanted = pc.field(column).isin(pa.array(list(values), SCHEMA.field(column).type))
        # With the columns that rows are ordered by: the order must not depend on which are asked for.
        read = list(dict.fromkeys([*columns, column, *ORDER]))
        return read_results(self.folder, read, self.done(), wanted)[columns]

    def done(self) -> list[str]:
        """The keys of its finished units."""
        return [unit["key"] for unit in self.store.units() if unit["state"] == "done"]

    def once(self, read: Callable[[Run], Value]) -> Value:
        """What `read` gives for this run: read each time here, as a run on disk may change, and once by a snapshot."""
        return read(self)

    def snapshot(self) -> Run:
        """The run as one judgement or report reads it."""
        return RunSnapshot(self.folder)

    @property
    def report(self) -> Path:
        """The folder of its report."""
        return self.folder / "report"

    def update_manifest(self, **parts: Any) -> None:
        """Add parts to the manifest. Lines of failures name no place; where other runs lie has to be kept."""
        told = {name: _public(value) if name.endswith("_problems") else value for name, value in parts.items()}
        write_json(self.folder / "manifest.json", {**self.manifest, **told})


@dataclass(frozen=True)
class RunSnapshot(Run):
    """A run whose result rows, thresholds and records are each read once, however often they are asked for."""

    _values: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    def results(self, columns: list[str] | None = None) -> pd.DataFrame:
        """The rows, or these columns of them; a copy that may be changed."""
        rows = self.once(Run.results)
        return rows[columns].copy() if columns else rows.copy()

    def _chosen(self, column: str, values: Collection[str] | None, columns: list[str]) -> pd.DataFrame:
        """From memory if the rows are there already, since the others take no more of it then."""
        if Run.results not in self._values:
            return super()._chosen(column, values, columns)
        return chosen_rows(self.once(Run.results), column, values, columns)

    def once(self, read: Callable[[Run], Value]) -> Value:
        """What `read` gives, read the first time only."""
        if read not in self._values:
            self._values[read] = read(self)
        value: Value = self._values[read]
        return value

    def snapshot(self) -> Run:
        """The same one."""
        return self


def chosen_rows(rows: pd.DataFrame, column: str, values: Collection[str] | None, columns: list[str]) -> pd.DataFrame:
    """These columns of the rows that have one of the values in `column`, or any value (None)."""
    wanted = rows[column].notna() if values is None else rows[column].isin(list(values))
    return rows.loc[wanted, columns].reset_index(drop=True)


def create_run(folder: Path, plan: Plan) -> Run:
    """A new run directory for `plan`; a directory that already holds the same plan is returned as it is.

    Raises `RunError` if the folder holds another run.
    """
    existing = folder / "plan.json"
    if existing.exists():
        if load_plan(existing).digest != plan.digest:
            raise RunError(f"{folder} already contains a run with another plan; choose a new folder")
        return Run(folder)
    (folder / "results").mkdir(parents=True, exist_ok=True)
    # The plan comes last: a folder that has one is a run that can be started and read.
    RunStore(folder).create()
    draft = draft_path(existing)
    try:
        plan.save(draft)
        draft.replace(existing)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    return Run(folder)


def open_run(folder: Path) -> Run:
    """The run in `folder`. Raises `RunError` if there is none."""
    run = Run(folder)
    _ = run.plan
    return run


def new_run_id() -> str:
    """A name for a run folder that sorts by time."""
    return time.strftime("%Y%m%d-%H%M%S-") + secrets.token_hex(3)


def list_runs(folder: Path) -> list[Run]:
    """Every run below `folder`, newest first."""
    found = [Run(path.parent) for path in folder.glob("*/plan.json")]
    return sorted(found, key=lambda run: run.id, reverse=True)


def text_id(text: str) -> str:
    """A short stable id of a text, 12 hex digits."""
    return hashlib.sha256(canonical(text)).hexdigest()[:12]


def _public(value: Any) -> Any:
    if isinstance(value, str):
        return without_folders(value)
    if isinstance(value, dict):
        return {name: _public(part) for name, part in value.items()}
    return [_public(part) for part in value] if isinstance(value, list) else value
