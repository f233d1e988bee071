"""The base of every application's record: its tables and their schemas, how it is written and how it is read. No torch.

An application computes once and writes its record; chapters, rules and pages read it. The columns of every table are
declared in the class of its row (`core.runs.rows`) and stay stable; new ones are only added.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Self, get_type_hints

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from core.characters import legible_values
from core.drafts import write_whole
from core.errors import RunError, first_line
from core.runs import Run
from core.runs.integrity import APPLICATIONS
from core.runs.rows import Row, schema_of


@dataclass(frozen=True)
class Record:
    """What an application measured in one run. `about` is what determined it: options, model, counts.

    A subclass has a field for each of its tables, of the table's name, whose type names the row:

        words: Annotated[pd.DataFrame, WordRow]

    NAME: the application, and its folder below the run's `applications`.
    TITLE: what it measured, as a message names it.
    MORE: rows of tables that are read into something else than a field of their name.
    SCHEMAS: the tables by name, from these rows; each lies in `<name>.parquet`.
    LATER: tables that records of earlier versions lack; they are read as empty.
    ABOUT: the file that `about` lies in.
    """

    about: dict[str, Any]

    NAME: ClassVar[str]
    TITLE: ClassVar[str]
    MORE: ClassVar[Mapping[str, type[Row]]] = {}
    SCHEMAS: ClassVar[Mapping[str, pa.Schema]]
    LATER: ClassVar[frozenset[str]] = frozenset()
    ABOUT: ClassVar[str] = "about.json"

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.SCHEMAS = {name: schema_of(row) for name, row in {**cls.MORE, **dict(_rows(cls))}.items()}

    @classmethod
    def folder_of(cls, run: Run) -> Path:
        """Where the record of a run lies."""
        return run.folder / APPLICATIONS / cls.NAME

    @classmethod
    def file_of(cls, table: str) -> str:
        """Where a table lies in a run and in its bundle. Raises `KeyError` if there is no such table."""
        if table not in cls.SCHEMAS:
            raise KeyError(table)
        return f"{APPLICATIONS}/{cls.NAME}/{table}.parquet"

    @classmethod
    def of_run(cls, run: Run) -> Self | None:
        """The run's record, or None if it was not computed. Raises `RunError` if it is damaged."""
        return run.once(cls._of_run)

    @classmethod
    def _of_run(cls, run: Run) -> Self | None:
        folder = cls.folder_of(run)
        return cls.load(folder) if folder.is_dir() else None

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The record in `folder`. Raises `RunError` if a file is missing or damaged."""
        try:
            about = json.loads((folder / cls.ABOUT).read_text(encoding="utf-8"))
            if not isinstance(about, dict):
                raise ValueError(f"{cls.ABOUT} does not hold an object")
            return cls(**cls.parts(folder, about, {name: cls._read(folder, name) for name in cls.SCHEMAS}))
        except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
            raise RunError(
                f"{folder}: the record of {cls.TITLE} is incomplete or damaged ({first_line(error)}); "
                "run this application again"
            ) from error

    @classmethod
    def parts(cls, folder: Path, about: dict[str, Any], tables: dict[str, pd.DataFrame]) -> dict[str, Any]:
        """The fields of the record by name, from what its folder holds. A subclass adds its own files here."""
        return {"about": about, **tables}

    @classmethod
    def frame(cls, name: str, rows: Iterable[Mapping[str, Any]] = ()) -> pd.DataFrame:
        """A table with the columns of its schema, empty without rows."""
        return pd.DataFrame(list(rows), columns=cls.SCHEMAS[name].names)

    @classmethod
    def frames(cls, rows: Mapping[str, Iterable[Mapping[str, Any]]]) -> dict[str, pd.DataFrame]:
        """Every table by name, from rows by table; one without rows is empty."""
        return {name: cls.frame(name, rows.get(name, ())) for name in cls.SCHEMAS}

    @classmethod
    def write(cls, folder: Path, about: dict[str, Any], tables: Mapping[str, pd.DataFrame]) -> None:
        """Write the files that `load` reads into `folder`, each complete or not at all, `about` last.

        Raises `ValueError` for a value that its column cannot hold.
        """
        folder.mkdir(parents=True, exist_ok=True)
        for name, schema in cls.SCHEMAS.items():
            write_whole(folder / f"{name}.parquet", cls.encoded(tables[name], bare(schema)))
        text = json.dumps(legible_values(about), indent=1, ensure_ascii=False) + "\n"
        write_whole(folder / cls.ABOUT, text.encode())

    def save(self, folder: Path) -> None:
        """Write the record into `folder` as `write` does."""
        names = {field.name for field in fields(self)}
        self.write(folder, self.about, {name: getattr(self, name) for name in self.SCHEMAS if name in names})

    @classmethod
    def encoded(cls, frame: pd.DataFrame, schema: pa.Schema) -> bytes:
        """A table as the bytes of a Parquet file; equal tables give equal bytes."""
        data: bytes = frame[schema.names].to_parquet(index=False, schema=schema)
        return data

    @classmethod
    def _read(cls, folder: Path, name: str) -> pd.DataFrame:
        file = folder / f"{name}.parquet"
        if name in cls.LATER and not file.exists():
            return cls.frame(name)
        frame = pd.read_parquet(file)
        # Columns that a record of an earlier version lacks are empty.
        absent = {field.name: None for field in cls.SCHEMAS[name] if field.nullable and field.name not in frame}
        if lacking := [column for column in cls.SCHEMAS[name].names if column not in frame and column not in absent]:
            raise ValueError(f"{file.name} has no column {lacking[0]}")
        return frame.assign(**absent) if absent else frame


def _rows(kind: type[Record]) -> Iterator[tuple[str, type[Row]]]:
    for name, hint in get_type_hints(kind, include_extras=True).items():
        for note in getattr(hint, "__metadata__", ()):
            if isinstance(note, type) and issubclass(note, Row):
                yield name, note


def bare(schema: pa.Schema) -> pa.Schema:
    """Names and types alone: what a file holds, without the words of the documentation."""
    return pa.schema([pa.field(field.name, field.type) for field in schema])


def plain_bytes(frame: pd.DataFrame, schema: pa.Schema) -> bytes:
    """A table as the bytes of a Parquet file without notes for pandas, in the compression zstd."""
    rows = pa.Table.from_pandas(frame[schema.names], schema=schema, preserve_index=False)
    sink = pa.BufferOutputStream()
    pq.write_table(rows.replace_schema_metadata(None), sink, compression="zstd")
    return bytes(sink.getvalue().to_pybytes())
