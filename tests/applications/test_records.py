"""The base of the applications' records: schemas, writing whole, reading back, and what is said of a damaged one."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, ClassVar

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.applications.record import Record, plain_bytes
from core.applications.registry import APPLICATIONS
from core.errors import RunError
from core.runs import Run
from core.runs.rows import Flag, Numbers, OptionalNumber, OptionalText, Row, Text, Whole


class SizeRow(Row):
    """One row per image."""

    image: Annotated[Text, "the image"]
    count: Annotated[Whole, "how many"]
    large: Annotated[Flag, "whether it is large"]
    values: Annotated[Numbers, "its values"]
    label: Annotated[OptionalText, "its label"]
    share: Annotated[OptionalNumber, "its share"]


class NoteRow(Row):
    """One row per note."""

    note: Annotated[Text, "the note"]


@dataclass(frozen=True)
class Sizes(Record):
    """Two tables, one of them new."""

    sizes: Annotated[pd.DataFrame, SizeRow]
    notes: Annotated[pd.DataFrame, NoteRow]

    NAME: ClassVar = "sizes"
    TITLE: ClassVar = "sizes"
    LATER: ClassVar = frozenset({"notes"})


ROWS = [
    {"image": "a", "count": 1, "large": True, "values": [1.0, 2.0], "label": None, "share": 0.5},
    {"image": "b", "count": 2, "large": False, "values": [], "label": None, "share": None},
]


def record() -> Sizes:
    rows = [ROWS[0] | {"label": "large"}, ROWS[1]]
    return Sizes({"title": "größer", "order": {"b": 1, "a": 2}}, Sizes.frame("sizes", rows), Sizes.frame("notes"))


def test_a_table_lies_where_it_is_written(tmp_path: Path) -> None:
    record().save(tmp_path / "applications" / "sizes")
    assert (tmp_path / Sizes.file_of("notes")).is_file()
    with pytest.raises(KeyError):
        Sizes.file_of("other")


@pytest.mark.parametrize("name", APPLICATIONS)
def test_every_application_has_a_record_whose_columns_are_described(name: str) -> None:
    kind = APPLICATIONS[name].record()
    assert kind is not None and name == kind.NAME and kind.TITLE and kind.SCHEMAS
    own = {field.name for field in fields(kind)}
    assert "about" in own and len(set(kind.SCHEMAS) - own) <= (name == "concepts")
    for schema in kind.SCHEMAS.values():
        assert schema.metadata[b"row"]
        for field in schema:
            about = field.metadata[b"about"].decode()
            assert about and "picture" not in about, field.name


def test_a_record_is_read_as_it_was_written_and_written_as_it_was_read(tmp_path: Path) -> None:
    record().save(tmp_path / "a")
    found = Sizes.load(tmp_path / "a")
    assert found.about == record().about and list(found.about["order"]) == ["b", "a"]
    assert found.sizes["count"].tolist() == [1, 2] and found.sizes["label"].isna().tolist() == [False, True]
    found.save(tmp_path / "b")
    assert found.notes.empty
    for name in ("sizes.parquet", "about.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["about.json", "notes.parquet", "sizes.parquet"]


def test_a_column_without_a_value_has_its_type(tmp_path: Path) -> None:
    Sizes({}, Sizes.frame("sizes", ROWS), Sizes.frame("notes")).save(tmp_path)
    written = pq.read_schema(tmp_path / "sizes.parquet")
    assert written.field("label").type == pa.large_string() and written.field("label").metadata is None
    assert pq.read_schema(tmp_path / "notes.parquet").field("note").type == pa.large_string()
    Sizes.frame("sizes", ROWS).to_parquet(tmp_path / "untyped.parquet")
    assert pq.read_schema(tmp_path / "untyped.parquet").field("label").type != pa.large_string()


def test_a_value_that_its_column_cannot_hold_is_refused_and_nothing_looks_complete(tmp_path: Path) -> None:
    wrong = Sizes.frame("sizes", [{**ROWS[0], "count": 1.5}])
    with pytest.raises(ValueError, match="count"):
        Sizes({}, wrong, Sizes.frame("notes")).save(tmp_path)
    assert not list(tmp_path.iterdir())
    Sizes({}, wrong.assign(count=1), Sizes.frame("notes")).save(tmp_path)


def test_of_run_is_none_without_a_folder_and_one_message_tells_what_is_damaged(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert Sizes.of_run(run) is None
    folder = Sizes.folder_of(run)
    record().save(folder)
    assert Sizes.of_run(run) is not None
    file = folder / "sizes.parquet"
    whole = file.read_bytes()
    for data, reason in ((b"nothing", "sizes.parquet|Parquet|Could not open"), (whole[:-9], "")):
        file.write_bytes(data)
        with pytest.raises(RunError, match=f"sizes is incomplete or damaged .*{reason}.*run this application"):
            Sizes.of_run(run)
    file.write_bytes(whole)
    (folder / "about.json").write_text("[]")
    with pytest.raises(RunError, match="does not hold an object"):
        Sizes.of_run(run)
    (folder / "about.json").unlink()
    with pytest.raises(RunError, match="incomplete or damaged"):
        Sizes.of_run(run)


def test_what_an_earlier_version_lacks_is_empty_and_what_none_may_lack_is_named(tmp_path: Path) -> None:
    record().save(tmp_path)
    (tmp_path / "notes.parquet").unlink()
    record().sizes.drop(columns="share").to_parquet(tmp_path / "sizes.parquet")
    found = Sizes.load(tmp_path)
    assert found.notes.columns.tolist() == ["note"] and found.notes.empty and found.sizes["share"].isna().all()
    record().sizes.drop(columns="count").to_parquet(tmp_path / "sizes.parquet")
    with pytest.raises(RunError, match=r"sizes\.parquet has no column count"):
        Sizes.load(tmp_path)


def test_plain_bytes_carry_no_notes_for_pandas(tmp_path: Path) -> None:
    schema = Sizes.SCHEMAS["notes"]
    (tmp_path / "a.parquet").write_bytes(plain_bytes(Sizes.frame("notes", [{"note": "x"}]), schema))
    assert b"pandas" not in (pq.read_schema(tmp_path / "a.parquet").metadata or {})
    record().save(tmp_path)
    assert b"pandas" in pq.read_schema(tmp_path / "sizes.parquet").metadata
