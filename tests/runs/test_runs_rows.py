"""Typed rows: they name the columns of the schema and of the summary, and a wrong name is found without a run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated, get_type_hints

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from core.evaluation import tables
from core.evaluation.summary import Summary, summarise
from core.runs.results import SCHEMA, ResultRow
from core.runs.rows import ImageId, OptionalNumber, OptionalText, Row, Text, Whole, Wholes, columns_of, schema_of, typed
from core.settings import ROOT
from tests.support.made_run import made_run


class PartRow(Row):
    """One row per part of an image."""

    image: ImageId
    class_: Annotated[Text, "the class"]
    number: Annotated[Whole, "its number"]
    share: Annotated[OptionalNumber, "its share"]
    label: Annotated[OptionalText, "its label"]
    cells: Annotated[Wholes, "its cells"]


def test_a_schema_follows_from_the_columns_of_a_row() -> None:
    schema = schema_of(PartRow)
    assert schema.names == ["image", "class", "number", "share", "label", "cells"]
    kinds = [pa.large_string(), pa.large_string(), pa.int64(), pa.float64(), pa.large_string(), pa.list_(pa.int64())]
    assert schema.types == kinds
    assert [field.name for field in schema if field.nullable] == ["share", "label"]
    assert schema.field("image").metadata == {b"about": b"content id of the image"}
    assert schema.metadata == {b"row": b"part of an image"}
    assert schema_of(PartRow, loupe="1").metadata == {b"loupe": b"1"}


def test_a_column_without_a_type_of_parquet_is_refused() -> None:
    class Wrong(Row):
        """One row per part."""

        share: Annotated[float, "its share"]

    with pytest.raises(TypeError, match="the column share needs one type"):
        schema_of(Wrong)


def test_a_row_is_read_as_it_is_annotated_and_a_reserved_name_with_its_underscore() -> None:
    values = {"image": "a", "class": "dog", "number": 2, "share": np.nan, "label": None, "cells": [1, 0]}
    row = next(typed(pd.DataFrame([values]), PartRow))
    assert (row.image, row.class_, row.number, row.label, list(row.cells)) == ("a", "dog", 2, None, [1, 0])
    assert np.isnan(row.share)


def test_the_types_of_a_result_are_those_that_pandas_reads() -> None:
    hints = get_type_hints(ResultRow)
    assert list(hints) == list(SCHEMA.names)
    for field in SCHEMA:
        kind = str if pa.types.is_string(field.type) else NDArray if pa.types.is_list(field.type) else float
        assert kind.__name__ in str(hints[field.name]), field.name
        assert ("None" in str(hints[field.name])) == (field.nullable and kind is not float), field.name


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    return summarise(made_run(tmp_path_factory.mktemp("rows") / "run", images=4, failed_rows=2))


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("trust", tables.TrustRow),
        ("versus", tables.VersusRow),
        ("agreement", tables.AgreementRow),
        ("pair_agreement", tables.PairRow),
        ("scores", tables.ScoreRow),
        ("texts", tables.TextRow),
        ("failures", tables.FailureRow),
    ],
)
def test_the_tables_of_a_summary_have_the_columns_of_their_rows(summary: Summary, table: str, row: type) -> None:
    frame = getattr(summary, table)
    assert list(frame.columns) == columns_of(row)
    assert len(frame)
    first = next(typed(frame, row))
    for name in {"n", "text", "a", "method", "kind"} & set(frame):
        assert getattr(first, name) == frame.iloc[0][name]
    with pytest.raises(AttributeError):
        _ = first.no_such_column


CODE = """
from core.runs.results import ResultRow
from core.runs.rows import typed

def first(frame: object) -> float:
    return next(typed(frame, ResultRow)).{name}
"""


def test_mypy_finds_a_wrong_column(tmp_path: Path) -> None:
    names = ("faithfulness", "faithfullness", "text")
    for name in names:
        (tmp_path / f"reads_{name}.py").write_text(CODE.format(name=name))
    # Of the libraries nothing is read: what is asked is what the row names.
    options = ["--config-file=", "--strict", "--follow-imports=skip", "--ignore-missing-imports", "--no-incremental"]
    rooms = (ROOT / "core" / "runs" / f"{name}.py" for name in ("rows", "results"))
    files = [*rooms, *(tmp_path / f"reads_{name}.py" for name in names)]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, "--allow-subclassing-any", *map(str, files)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    found = [line for line in done.stdout.splitlines() if "reads_" in line]
    assert [line for line in found if "reads_faithfulness.py" in line] == []
    assert 'no attribute "faithfullness"' in "".join(line for line in found if "reads_faithfullness.py" in line)
    assert "Incompatible return value" in "".join(line for line in found if "reads_text.py" in line)
