"""The stored datasets of the same name, and how each differs from the one that is shown."""

from __future__ import annotations

from typing import NamedTuple

import streamlit as st

from core.content.tables import ColumnSpec, TableSpec
from core.datasets import Dataset
from core.datasets.versions import DatasetChange, dataset_change
from core.runs.shelf import users_of
from pages.parts import state, tables
from pages.parts.state import StoredDataset


class Version(NamedTuple):
    """One dataset of the name; `change` is from it to the one that is shown, None for that one itself."""

    added: str
    dataset: StoredDataset
    change: DatasetChange | None
    users: int


VERSIONS = TableSpec(
    ColumnSpec("Added", "added"),
    ColumnSpec("Dataset", lambda row: row.dataset.id[:8] + (" (shown)" if row.change is None else "")),
    ColumnSpec("Images", lambda row: row.dataset.images, "number"),
    ColumnSpec("Only in the shown one", lambda row: _count(row.change, "added"), "number", help="images"),
    ColumnSpec("Only in this one", lambda row: _count(row.change, "removed"), "number", help="images"),
    ColumnSpec(
        "Changed", lambda row: _count(row.change, "changed"), "number", help="images with other captions or columns"
    ),
    ColumnSpec("Audits", "users", "number", help="audits that use it"),
)


def of_name(dataset: Dataset) -> list[StoredDataset]:
    """The stored datasets that people call the same, latest first."""
    name = state.dataset_name(dataset)
    return [other for other in state.stored_datasets() if state.dataset_name(other) == name]


def show(dataset: Dataset, versions: list[StoredDataset]) -> None:
    """The versions with their dates and what changed."""
    if len(versions) < 2:
        st.text("No other stored dataset has this name. Give versions of a dataset the same name to compare them.")
        return
    rows = [
        Version(
            state.added(other),
            other,
            _change(dataset, other),
            len(users_of(other.root)),
        )
        for other in versions
    ]
    tables.show(VERSIONS, rows)
    st.caption("An audit names the version that it used; datasets do not change after they were stored.")


def _change(dataset: Dataset, other: StoredDataset) -> DatasetChange | None:
    """From another version to the one that is shown; None for that one itself."""
    before = None if other.id == dataset.id else state.dataset_at(other.root)
    return None if before is None else dataset_change(dataset, before)


def _count(change: DatasetChange | None, name: str) -> str:
    return "" if change is None else str(getattr(change, name))
