"""Whatever people upload, as a validated, content-addressed `Dataset`. Never imports torch."""

from __future__ import annotations

from core.datasets.annotations import (
    Annotations,
    column_labels,
    drop_annotations,
    keep_annotations,
    labels_column,
    matched,
    read_annotations,
)
from core.datasets.dataset import Dataset, DatasetImage, Duplicate, Refusal, Remark, load_dataset
from core.datasets.intake import ingest
from core.datasets.label_maps import read_label_maps
from core.datasets.remote import Remote, absent, source
from core.datasets.sources import Upload
from core.datasets.subset import subset
from core.datasets.text_lists import read_texts
from core.datasets.texts import escape_cell, write_csv

__all__ = [
    "Annotations",
    "Dataset",
    "Duplicate",
    "DatasetImage",
    "Refusal",
    "Remark",
    "Remote",
    "Upload",
    "absent",
    "column_labels",
    "drop_annotations",
    "escape_cell",
    "ingest",
    "keep_annotations",
    "labels_column",
    "load_dataset",
    "matched",
    "read_annotations",
    "read_label_maps",
    "read_texts",
    "source",
    "subset",
    "write_csv",
]
