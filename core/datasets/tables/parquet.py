"""Parquet files from strangers: repeated values are stored once in the file, and stay so in memory."""

from __future__ import annotations

from typing import Any

from core.datasets.bounds import Refused, size_text
from core.settings import Limits

_MAGIC = b"PAR1"


def is_parquet(data: bytes) -> bool:
    """Whether `data` starts like a Parquet file."""
    return data.startswith(_MAGIC)


def read_parquet(data: bytes, limits: Limits) -> tuple[list[str], list[list[object]], list[str]]:
    """Column names, a list of cells each (None, text, number, date, or a list of texts), and the columns left out.

    Raises `Refused` if the file is damaged, has too many rows or cells, or unpacks to far more than its size.
    """
    try:
        import pyarrow

        return read_columns(pyarrow.BufferReader(data), len(data), limits)
    except (Refused, MemoryError):
        raise
    except Exception as error:  # The library may fail in any way on damaged or hostile bytes: the file is refused.
        raise Refused(f"is a damaged or unsupported Parquet file ({type(error).__name__}); save it as CSV") from error


def read_columns(source: Any, size: int, limits: Limits) -> tuple[list[str], list[list[object]], list[str]]:
    """`read_parquet` of an open file of `size` bytes. Raises `Refused`, and whatever the library raises."""
    return _Reader(limits).read(source, size)


class _Reader:
    """One file's reading: what it says of its size is looked at first, what is found is counted."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.cells = 0
        self.bytes = 0
        self.texts: dict[str, str] = {}  # equal texts of all columns as one object

    def read(self, source: Any, size: int) -> tuple[list[str], list[list[object]], list[str]]:
        """See `read_parquet`."""
        # Here, because most processes never meet such a file and the library is large.
        from pyarrow import parquet

        meta = parquet.read_metadata(source)
        if meta.num_rows > self.limits.table_rows:
            raise Refused(f"has {meta.num_rows:,} rows; at most {self.limits.table_rows:,} are accepted, so split it")
        if meta.num_columns > self.limits.table_columns:
            raise Refused(f"has {meta.num_columns:,} columns; at most {self.limits.table_columns:,} are accepted")
        self._count(meta.num_rows * meta.num_columns, 0)
        unpacked = sum(meta.row_group(number).total_byte_size for number in range(meta.num_row_groups))
        if unpacked > self.limits.zip_ratio * size:
            raise Refused(f"unpacks to more than {self.limits.zip_ratio:g} times its size; save it as CSV")
        # Text stays dictionary-coded: a long text repeated in every row must not be copied for every row.
        leaves = [meta.schema.column(number) for number in range(meta.num_columns)]
        coded = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]
        source.seek(0)
        file = parquet.ParquetFile(source, read_dictionary=coded)
        fields = list(file.schema_arrow)
        names = [field.name for field in fields if _usable(field.type)]
        if len(set(names)) < len(names):
            raise Refused("has two columns with the same name; rename one")
        cells: list[list[object]] = [[] for _ in names]
        for batch in file.iter_batches(batch_size=4096, columns=names, use_threads=False):
            for name, column in zip(names, cells, strict=True):
                column.extend(self._values(batch.column(name)))
        if len({len(column) for column in cells}) > 1:
            raise Refused("has columns of different lengths; save it as CSV")
        return names, cells, [field.name for field in fields if not _usable(field.type)]

    def _count(self, cells: int, size: int) -> None:
        self.cells += cells
        self.bytes += size
        if self.cells > self.limits.table_cells:
            raise Refused(f"has more than {self.limits.table_cells:,} cells; remove columns or split it")
        if self.bytes > self.limits.table_bytes:
            raise Refused(f"unpacks to more than {size_text(self.limits.table_bytes)}; remove columns or split it")

    def _values(self, array: Any) -> list[object]:
        """A column's cells as Python objects, equal texts as one object."""
        from pyarrow import compute, types

        kind = array.type
        if types.is_list(kind) or types.is_large_list(kind):
            self._count(len(array.flatten()), 0)
            flat = self._values(array.flatten())
            result: list[object] = []
            start = 0
            for length in compute.list_value_length(array).to_pylist():
                result.append(None if length is None else flat[start : start + length])
                start += length or 0
            return result
        if not types.is_dictionary(kind):
            return list(array.to_pylist())
        texts = array.dictionary
        longest = compute.max(compute.binary_length(texts)).as_py() if len(texts) else 0
        if longest is not None and longest > self.limits.cell_characters:
            raise Refused(f"has a cell of {longest:,} bytes; shorten it")
        values = [None if text is None else self._one(text) for text in texts.to_pylist()]
        return [None if index is None else values[index] for index in array.indices.to_pylist()]

    def _one(self, text: str) -> str:
        known = self.texts.get(text)
        if known is None:
            self._count(0, len(text))
            known = self.texts[text] = text
        return known


def _usable(kind: Any) -> bool:
    """Whether a column of this type holds text, numbers, truth values, dates or times, or lists of text."""
    from pyarrow import types

    if types.is_list(kind) or types.is_large_list(kind):
        return _is_text(kind.value_type)
    plain = (types.is_boolean, types.is_integer, types.is_floating, types.is_decimal, types.is_date, types.is_time)
    return _is_text(kind) or types.is_timestamp(kind) or types.is_null(kind) or any(check(kind) for check in plain)


def _is_text(kind: Any) -> bool:
    from pyarrow import types

    if types.is_dictionary(kind):
        kind = kind.value_type
    return bool(types.is_string(kind) or types.is_large_string(kind))
