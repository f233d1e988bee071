"""One Parquet file with the rows of many units: how it is written, and how the rows of some units are read from it.

The units of a part are ordered by key and each lies in one row group, so that the statistics of the groups tell where
the rows of a unit are. Written again by themselves, they are the bytes of the unit's own file.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

PREFIX = "part-"
UNIT = "unit"
# Rows that are read at once for a page that shows one image, in bytes before compression.
GROUP_BYTES = 4 * 2**20


def part_files(results: Path) -> list[Path]:
    """The parts in a folder of results, by name."""
    return sorted(results.glob(f"{PREFIX}*.parquet"))


def keys_of(part: Path, wanted: Collection[str] | None = None) -> set[str]:
    """The keys of the units in a part, or of these those that it holds.

    Raises `OSError` or `pyarrow.ArrowInvalid` if it cannot be read.
    """
    keys: set[str] = set()
    for table in groups_of(part, [UNIT], wanted):
        keys |= set(pc.unique(table[UNIT]).to_pylist())
    return keys


def groups_of(
    part: Path, columns: Sequence[str] | None = None, wanted: Collection[str] | None = None
) -> Iterator[pa.Table]:
    """The rows of a part, one row group at a time: these columns, and of these units only.

    Columns that the file lacks are left out. Raises `OSError` or `pyarrow.ArrowInvalid` if it cannot be read.
    """
    with pq.ParquetFile(part) as file:
        written = file.schema_arrow.names
        asked = None if columns is None else [name for name in columns if name in written]
        read = None if asked is None else list(dict.fromkeys([*asked, UNIT]))
        keys = None if wanted is None else pa.array(sorted(wanted), pa.string())
        for at in range(file.num_row_groups):
            if wanted is not None and not _may_hold(file.metadata.row_group(at), written.index(UNIT), wanted):
                continue
            table = file.read_row_group(at, columns=read)
            if keys is not None:
                table = table.filter(pc.is_in(table[UNIT], keys))
            yield table if asked is None else table.select(asked)


def units_of(part: Path) -> Iterator[tuple[str, pa.Table]]:
    """Each unit of a part with its rows."""
    for table in groups_of(part):
        yield from split(table).items()


def split(table: pa.Table) -> dict[str, pa.Table]:
    """The rows of each unit in a table in which those of one unit follow each other."""
    keys = table[UNIT].to_pylist()
    starts = [at for at in range(len(keys)) if at == 0 or keys[at] != keys[at - 1]]
    ends = [*starts[1:], len(keys)]
    return {keys[low]: table.slice(low, high - low).combine_chunks() for low, high in zip(starts, ends, strict=True)}


class PartWriter:
    """Units, given in the order of their keys, written into an open file that may become a part."""

    def __init__(self, sink: Any, schema: pa.Schema) -> None:
        self.keys: list[str] = []
        self.rows = 0
        self._sink = sink
        self._waiting: list[pa.Table] = []
        self._writer = pq.ParquetWriter(sink, schema, compression="zstd", store_schema=True, write_page_checksum=True)

    @property
    def size(self) -> int:
        """How many bytes are written; a group of rows that is not full counts once it is."""
        return int(self._sink.tell())

    def add(self, key: str, table: pa.Table) -> None:
        """Append the rows of one unit."""
        self.keys.append(key)
        self.rows += len(table)
        self._waiting.append(table)
        if sum(one.nbytes for one in self._waiting) >= GROUP_BYTES:
            self._flush()

    def close(self) -> None:
        """Write what waits, and the end of the file."""
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._waiting:
            together = pa.concat_tables(self._waiting).combine_chunks()
            self._writer.write_table(together, row_group_size=max(len(together), 1))
            self._waiting = []


def _may_hold(group: Any, column: int, wanted: Collection[str]) -> bool:
    """Whether a row group can have rows of these units, by the smallest and the largest key in it."""
    # The leaves of a nested column each have a place of their own; the unit is a plain one before them.
    told = group.column(column)
    if told.path_in_schema != UNIT or told.statistics is None or not told.statistics.has_min_max:
        return True
    low, high = told.statistics.min, told.statistics.max
    return any(low <= key <= high for key in wanted)
