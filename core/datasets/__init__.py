"""Whatever people upload, as a validated, content-addressed `Dataset`. Never imports torch."""

from __future__ import annotations

from core.datasets.dataset import Dataset, Duplicate, Picture, Refusal, load_dataset
from core.datasets.intake import ingest
from core.datasets.sources import Upload
from core.datasets.texts import escape_cell, read_texts, write_csv

__all__ = [
    "Dataset",
    "Duplicate",
    "Picture",
    "Refusal",
    "Upload",
    "escape_cell",
    "ingest",
    "load_dataset",
    "read_texts",
    "write_csv",
]
