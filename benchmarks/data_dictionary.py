"""The data dictionary: every column of every Parquet table that a run holds, from the schemas that write them.

    PYTHONPATH=. python benchmarks/data_dictionary.py

writes `docs/data-dictionary.md`: the results, then the tables of every application's record, from its `SCHEMAS`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pyarrow as pa

from core.applications.registry import APPLICATIONS
from core.runs.integrity import APPLICATIONS as FOLDER
from core.runs.results import SCHEMA
from core.settings import ROOT

PAGE = ROOT / "docs" / "data-dictionary.md"
HEAD = """# Data dictionary

A run is a folder whose tables any reader of Parquet, such as DuckDB or pandas, can open. Columns are only added, never
renamed. No time of day is stored in these files, so that the same plan gives the same bytes. A cosine similarity lies
in [-1, 1]; maps are raw values at the model's own grid, with their sign.

    duckdb -c "SELECT method, avg(faithfulness) FROM 'runs/first/results/*.parquet'
               WHERE kind = 'method' GROUP BY method"

This page is generated from the schemas in the source: `PYTHONPATH=. python benchmarks/data_dictionary.py`.
"""


class Stored(NamedTuple):
    """One kind of Parquet file: where it lies in a run, what it has one row for, and its schema."""

    path: str
    row: str
    schema: pa.Schema


def tables() -> Iterator[Stored]:
    """Every kind of table with a schema: the results, then the applications by name."""
    yield Stored("results/*.parquet", "image, text and method, control or score", SCHEMA)
    for name in sorted(APPLICATIONS):
        record = APPLICATIONS[name].record()
        for table, schema in (record.SCHEMAS if record else {}).items():
            row = (schema.metadata or {}).get(b"row", b"").decode()
            yield Stored(f"{FOLDER}/{name}/{table}.parquet", row, schema)


def as_markdown(found: list[Stored]) -> str:
    """The whole page."""
    return HEAD + "".join(_section(stored) for stored in found)


def _section(stored: Stored) -> str:
    lines = [f"\n## `{stored.path}`\n"]
    if stored.row:
        lines.append(f"One row per {stored.row}.\n")
    lines += ["| column | type | may be missing | what it holds |", "| --- | --- | --- | --- |"]
    for field in stored.schema:
        about = (field.metadata or {}).get(b"about", b"").decode().replace("|", "\\|")
        lines.append(f"| `{field.name}` | {kind_of(field.type)} | {'yes' if field.nullable else ''} | {about} |")
    return "\n".join(lines) + "\n"


def kind_of(kind: pa.DataType) -> str:
    """A type as a reader would say it: "list of float", "int16", "string"."""
    if pa.types.is_list(kind):
        return f"list of {kind_of(kind.value_type)}"
    return str(kind).removeprefix("large_")


def main() -> None:
    """Write the page."""
    PAGE.write_text(as_markdown(list(tables())), encoding="utf-8")


if __name__ == "__main__":
    main()
