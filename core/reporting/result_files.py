"""The result rows in a bundle: the file of a unit, or a part with those of many, read within what the plan can give."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import Refused
from core.reporting.bundle import OpenBundle, plain_values
from core.runs import SCHEMA
from core.runs.packing import PARTS
from core.runs.part_files import split
from core.settings import LIMITS

# What a file of results may unpack to: numbers hardly shrink, so much more is made to fill the memory.
_MOST_RATIO, _LEAST = 50, 2**24


def parts_named(manifest: Mapping[str, Any]) -> dict[str, str]:
    """The files of results of many units that a manifest names, and their SHA-256."""
    told = plain_values(manifest.get(PARTS, {}))
    return {f"results/{name}": str(plain_values(about).get("sha256", "")) for name, about in told.items()}


def packed_rows(
    bundle: OpenBundle, parts: Mapping[str, str], units: Sequence[Mapping[str, Any]], most: int
) -> dict[str, pa.Table]:
    """The rows of each unit that lies in one of these parts, at most `most` in each.

    Raises `Refused`, also for a unit that is not finished, lies in two files, or recorded another number of rows.
    """
    rows = {str(unit["key"]): unit["rows"] for unit in units if unit["state"] == "done"}
    found: dict[str, pa.Table] = {}
    for name in sorted(parts):
        whole = _table(bundle, name, most)
        units_of_part = split(whole)
        if sum(map(len, units_of_part.values())) != len(whole):
            raise Refused(f"{name} has rows of one unit in two places, which recorded them once")
        for key, table in units_of_part.items():
            if key not in rows or key in found or f"results/{key}.parquet" in bundle.names:
                raise Refused(f"{name} has rows of the unit {key[:64]}, which is not finished or lies in another file")
            if len(table) != rows[key]:
                raise Refused(f"{name} has {len(table):,} rows of the unit {key[:64]}, which recorded {rows[key]}")
            found[key] = table
    return found


def unit_rows(bundle: OpenBundle, unit: Mapping[str, Any], most: int) -> pa.Table:
    """The rows in the file of a unit, at most `most`. Raises `Refused`."""
    name = f"results/{unit['key']}.parquet"
    if name not in bundle.names:
        raise Refused(f"{name} belongs to a finished unit but is missing")
    table = _table(bundle, name, most)
    if len(table) != unit["rows"]:
        raise Refused(f"{name} has {len(table):,} rows; its unit recorded {unit['rows']}")
    return table


def _table(bundle: OpenBundle, name: str, most: int) -> pa.Table:
    data = bundle.read(name, max(bundle.size, LIMITS.bundle_part_bytes))
    try:
        file = pq.ParquetFile(io.BytesIO(data))
        about = file.metadata
        groups = [about.row_group(at) for at in range(about.num_row_groups)]
        if about.num_rows > most:
            raise Refused(f"{name} has {about.num_rows:,} rows; {most:,} are planned")
        if sum(group.total_byte_size for group in groups) > _LEAST + _MOST_RATIO * len(data):
            raise Refused(f"{name} unpacks to more than any result does")
        written = file.schema_arrow
        for column in written:
            if column.name not in SCHEMA.names or not column.type.equals(SCHEMA.field(column.name).type):
                raise Refused(f"{name} has a column {column.name[:60]!r}, which results do not have")
        table = file.read(use_threads=False)
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        if isinstance(error, MemoryError):
            raise
        raise Refused(f"{name} is not a Parquet file of results") from error
    for column in SCHEMA:
        if column.name not in table.column_names:
            if not column.nullable:
                raise Refused(f"{name} lacks the column {column.name}")
            table = table.append_column(column, pa.nulls(len(table), column.type))
    return table.select(SCHEMA.names)
