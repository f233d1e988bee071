"""Result files: the schema comes back, equal rows give equal bytes, and a file is whole or not there."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import RunError
from core.runs import SCHEMA, read_results, results, write_unit
from core.runs.results import file_sha256


def row(**changes: Any) -> dict[str, Any]:
    return {
        "unit": "k", "image": "i", "image_name": "n.png", "text": "a cat", "text_kind": "caption", "kind": "method",
        "method": "raw", "status": "ok", "score": 0.25, "rows": 1, "columns": 2, "map": [0.5, -1.0], **changes,
    }  # fmt: skip


def sample_value(kind: pa.DataType) -> Any:
    if pa.types.is_list(kind):
        return [sample_value(kind.value_type)] * 2
    return "text" if pa.types.is_string(kind) else 3 if pa.types.is_integer(kind) else 0.5


def test_every_column_comes_back_with_its_type_and_meaning(tmp_path: Path) -> None:
    whole = {field.name: sample_value(field.type) for field in SCHEMA}
    path, _, count = write_unit(tmp_path, "k", [whole])
    table = pq.read_table(path)
    assert count == 1
    assert table.schema.metadata[b"loupe"] == SCHEMA.metadata[b"loupe"]
    for found, wanted in zip(table.schema, SCHEMA, strict=True):
        # Parquet has another name for what a list holds.
        assert str(found.type).replace("element", "item") == str(wanted.type)
        assert (found.name, found.nullable, found.metadata) == (wanted.name, wanted.nullable, wanted.metadata)
    assert table.to_pylist() == [whole]
    assert all(field.metadata[b"about"] for field in SCHEMA)


def test_columns_that_are_left_out_are_null_and_required_ones_are_missed(tmp_path: Path) -> None:
    write_unit(tmp_path, "k", [row()])
    frame = read_results(tmp_path)
    assert list(frame.columns) == SCHEMA.names
    assert frame.deletion.isna().all()
    assert frame.message.isna().all()
    with pytest.raises(pa.ArrowInvalid):
        write_unit(tmp_path, "other", [row(image=None)])
        pq.read_table(tmp_path / "results" / "other.parquet").validate(full=True)


def test_files_from_before_a_column_was_added_still_open(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    old = [field for field in SCHEMA if field.name not in ("infidelity", "sufficiency")]
    table = pa.Table.from_pylist([row()], schema=pa.schema(old, metadata=SCHEMA.metadata))
    pq.write_table(table, tmp_path / "results" / "old.parquet")
    write_unit(tmp_path, "new", [row(image_name="o.png", infidelity=0.25)])
    frame = read_results(tmp_path)
    assert list(frame.columns) == SCHEMA.names
    assert frame.infidelity.isna().tolist() == [True, False]
    assert read_results(tmp_path, ["image_name", "infidelity"]).infidelity.tolist()[1] == 0.25
    assert read_results(tmp_path, ["method", "sufficiency"], units=["old"]).sufficiency.isna().all()


@settings(deadline=None, max_examples=40)
@given(values=st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=30))
def test_equal_rows_give_equal_bytes(tmp_path_factory: pytest.TempPathFactory, values: list[float]) -> None:
    folder = tmp_path_factory.mktemp("rows")
    first, digest, _ = write_unit(folder, "a", [row(map=values)])
    second, again, _ = write_unit(folder, "b", [row(map=list(values))])
    assert first.read_bytes() == second.read_bytes()
    assert digest == again == hashlib.sha256(first.read_bytes()).hexdigest() == file_sha256(first)
    _, other, _ = write_unit(folder, "c", [row(map=[*values, 1.0])])
    assert other != digest
    np.testing.assert_array_equal(read_results(folder, units=["a"])["map"][0], np.array(values, dtype=np.float32))


def test_rows_are_ordered_by_name_text_and_method_whatever_unit_made_them(tmp_path: Path) -> None:
    write_unit(tmp_path, "z", [row(image_name="a.png", method="rise"), row(image_name="a.png", method="gae")])
    write_unit(tmp_path, "a", [row(image_name="b.png"), row(image_name="a.png", kind="score", method=None)])
    frame = read_results(tmp_path)
    assert list(frame.image_name) == ["a.png", "a.png", "a.png", "b.png"]
    assert list(frame.method.fillna("")) == ["gae", "rise", "", "raw"]
    assert list(read_results(tmp_path, units=["a"]).image_name) == ["a.png", "b.png"]
    assert list(read_results(tmp_path, ["score"]).columns) == ["score"]


def test_no_results_are_an_empty_table(tmp_path: Path) -> None:
    assert list(read_results(tmp_path).columns) == SCHEMA.names
    assert list(read_results(tmp_path, ["image", "score"]).columns) == ["image", "score"]
    assert len(read_results(tmp_path, units=[])) == 0


@pytest.mark.parametrize("where", ["fsync", "replace"])
def test_a_failure_before_the_rename_leaves_no_file_under_the_final_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def full(*_: Any) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(results.os, "fsync", full) if where == "fsync" else patch.setattr(Path, "replace", full)
        with pytest.raises(OSError, match="no space"):
            write_unit(tmp_path, "k", [row()])
    assert not (tmp_path / "results" / "k.parquet").exists()
    assert len(read_results(tmp_path)) == 0
    path, digest, _ = write_unit(tmp_path, "k", [row()])
    assert file_sha256(path) == digest
    assert os.listdir(tmp_path / "results") == ["k.parquet"]


def test_a_failure_leaves_the_file_of_before_untouched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, _, _ = write_unit(tmp_path, "k", [row()])
    before = path.read_bytes()

    def full(*_: Any) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(results.os, "fsync", full)
        with pytest.raises(OSError, match="no space"):
            write_unit(tmp_path, "k", [row(text="a dog")])
    assert path.read_bytes() == before


@pytest.mark.parametrize("damage", ["cut", "empty", "other", "missing"])
def test_a_damaged_file_is_named_with_the_way_out(tmp_path: Path, damage: str) -> None:
    path, _, _ = write_unit(tmp_path, "k", [row()])
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes({"cut": path.read_bytes()[:-9], "empty": b"", "other": b"PAR1 nothing PAR1"}[damage])
    with pytest.raises(RunError, match=r"k\.parquet cannot be read.*resume"):
        read_results(tmp_path, units=["k"])
