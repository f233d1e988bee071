"""Parquet files that hold images, as the library `datasets` and many others write them: read by children, in batches.

A column of images is a struct of `bytes` and `path`, or binary under a name of an image. The other columns become a
table; numbers of classes get the names that the file's own description gives them.
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from core.datasets.bounds import Refused, size_text
from core.datasets.holders import Holder, Inside, stream_of
from core.datasets.names import clean_name
from core.datasets.opening import opened
from core.datasets.tables import Problems, Table, packed_table, table_of_columns, unpacked_table
from core.datasets.tables.parquet import read_columns
from core.settings import Limits

_BINARY = ("image", "img", "jpg", "jpeg", "png", "webp", "imagebytes", "bytes")
_BATCH = 48 * 2**20  # bytes of images that one child returns, unless one image is larger
_INVALID = "cannot be read: the process that opened it returned an invalid answer; save it again"


class Images:
    """The images of one file, read batch by batch in the order in which they are asked for."""

    def __init__(self, holder: Holder, groups: Sequence[int], limits: Limits) -> None:
        self._holder = holder
        self._limits = limits
        self._places = [(group, row) for group, rows in enumerate(groups) for row in range(rows)]
        self._batch: dict[tuple[int, int], bytes | None] = {}

    def chunks(self, number: int) -> Iterator[bytes]:
        """The bytes of the image in a row. Raises `Refused` if it has none."""
        place = self._places[number]
        if place not in self._batch:
            self._batch = {}
            self._batch = self._read(*place)
        data = self._batch.pop(place)
        if data is None:
            raise Refused("is a row without the bytes of an image; embed the images when the file is written")
        yield data

    def _read(self, group: int, first: int) -> dict[tuple[int, int], bytes | None]:
        path, data = self._holder.given(self._limits)
        most = _BATCH + self._limits.file_bytes + 2**20
        answer = opened(batch, most, self._limits, path, group, first, dataclasses.asdict(self._limits), data=data)
        found: dict[tuple[int, int], bytes | None] = {}
        at = 0
        for row, size in enumerate(_sizes(answer.value), first):
            found[group, row] = None if size < 0 else bytes(answer.data[at : at + size])
            at += max(size, 0)
        if at != len(answer.data) or (group, first) not in found:
            raise Refused(_INVALID)
        return found


def list_images(holder: Holder, name: str, prefix: str, limits: Limits) -> tuple[list[Inside], Table] | None:
    """The images in a file and the table of its other columns; None for a table without images.

    `prefix` begins the names of the images. Raises `Refused` if the file is damaged or outside the limits.
    """
    path, data = holder.given(limits)
    answer = opened(description, limits.table_bytes, limits, path, name, prefix, dataclasses.asdict(limits), data=data)
    if answer.value is None:
        return None
    try:
        names, groups = answer.value
        groups = _sizes(groups)
        table = unpacked_table(name, answer.data)
        if len(names) != sum(groups) or any(clean_name(each) != each for each in names):
            raise Refused(_INVALID)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise Refused(_INVALID) from error
    images = Images(holder, groups, limits)
    return [Inside(each, partial(images.chunks, number)) for number, each in enumerate(names)], table


def description(data: bytes, path: str | None, name: str, prefix: str, limits: dict[str, Any]) -> tuple[Any, bytes]:
    """Task: the names of the images and the rows of each group, and the table of the other columns."""
    bounds = Limits(**limits)
    try:
        import pyarrow
        from pyarrow import parquet

        with stream_of(data, path) as stream:
            file = parquet.ParquetFile(pyarrow.PythonFile(stream, mode="r"))
            column, leaf = _image_column(file.schema_arrow)
            if column is None:
                return None, b""
            meta = file.metadata
            if meta.num_rows > bounds.files:
                raise Refused(f"has {meta.num_rows:,} images; at most {bounds.files:,} are accepted, so split it")
            paths = _paths(file, column) if leaf else [None] * meta.num_rows
            names = _names(paths, prefix)
            stream.seek(0, 2)
            size = stream.tell()
            stream.seek(0)
            header, cells, left_out = read_columns(pyarrow.PythonFile(stream, mode="r"), size, bounds)
            problems = Problems()
            for other in left_out:
                if other != column:
                    problems.add("has columns that contain neither text, numbers, dates nor truth values", other)
            classes = _class_names(file.schema_arrow.metadata)
            columns = [_named(values, classes.get(title)) for title, values in zip(header, cells, strict=True)]
            header = [f"{title} (column)" if title == column else title for title in header]
            table = table_of_columns(name, [column, *header], [list(names), *columns], problems, bounds)
            groups = [meta.row_group(number).num_rows for number in range(meta.num_row_groups)]
            return [names, groups], packed_table(dataclasses.replace(table, name=name))
    except (Refused, MemoryError):
        raise
    except Exception as error:  # The library may fail in any way on damaged or hostile bytes: the file is refused.
        raise Refused(f"is a damaged or unsupported Parquet file ({type(error).__name__}); save it again") from error


def batch(data: bytes, path: str | None, group: int, first: int, limits: dict[str, Any]) -> tuple[Any, bytes]:
    """Task: the sizes and the bytes of some images of a group, from row `first` on; -1 for a row without bytes."""
    bounds = Limits(**limits)
    try:
        import pyarrow
        from pyarrow import parquet

        with stream_of(data, path) as stream:
            file = parquet.ParquetFile(pyarrow.PythonFile(stream, mode="r"))
            column, leaf = _image_column(file.schema_arrow)
            unpacked = file.metadata.row_group(group).total_byte_size
            if unpacked > bounds.file_memory // 2:
                raise Refused(
                    f"has row groups of {size_text(unpacked)}; write it with smaller ones (row_group_size=100)"
                )
            wanted = f"{column}.bytes" if leaf else column
            values = file.read_row_group(group, columns=[wanted], use_threads=False).column(0).combine_chunks()
            sizes: list[int] = []
            parts: list[bytes] = []
            total = 0
            for value in values[first:]:
                image = value.as_py()
                image = image.get("bytes") if leaf and image is not None else image
                if image is not None and len(image) > bounds.file_bytes:
                    # Told as what it is when it is read: too large.
                    image = image[: bounds.file_bytes + 1]
                total += len(image or b"")
                if sizes and total > _BATCH:
                    break
                sizes.append(-1 if image is None else len(image))
                parts.append(image or b"")
            return sizes, b"".join(parts)
    except (Refused, MemoryError):
        raise
    except Exception as error:  # As above.
        raise Refused(f"is in a damaged Parquet file ({type(error).__name__}); save it again") from error


def _image_column(schema: Any) -> tuple[str | None, bool]:
    """The first column of images, and whether it is a struct."""
    from pyarrow import types

    for field in schema:
        if types.is_struct(field.type) and any(
            part.name == "bytes" and _is_binary(part.type)
            for part in (field.type.field(i) for i in range(field.type.num_fields))
        ):
            return field.name, True
    for field in schema:
        if _is_binary(field.type) and field.name.lower().replace("_", "") in _BINARY:
            return field.name, False
    return None, False


def _is_binary(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def _paths(file: Any, column: str) -> list[str | None]:
    found: list[str | None] = []
    for part in file.read(columns=[f"{column}.path"], use_threads=False).column(0).to_pylist():
        path = part.get("path") if part is not None else None
        found.append(path if isinstance(path, str) and path.strip() else None)
    return found


def _names(paths: Sequence[str | None], prefix: str) -> list[str]:
    """A name for each row: its path if every row has one of its own, otherwise the number of the row."""
    plain = [None if path is None else clean_name(prefix + path) for path in paths]
    if None in plain or max(Counter(plain).values(), default=1) > 1:
        endings = [PurePosixPath(path or "").suffix for path in paths]
        return [clean_name(f"{prefix}{row:06}{ending}") for row, ending in enumerate(endings)]
    return [str(each) for each in plain]


def _class_names(metadata: dict[bytes, bytes] | None) -> dict[str, list[str]]:
    """The names of classes by column, from the description that `datasets` writes into the schema."""
    try:
        features = json.loads((metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    found = {}
    for column, feature in features.items() if isinstance(features, dict) else ():
        inner = feature.get("feature", feature) if isinstance(feature, dict) else None
        names = inner.get("names") if isinstance(inner, dict) else None
        if isinstance(names, list) and all(isinstance(name, str) for name in names):
            found[column] = names
    return found


def _named(values: list[object], names: list[str] | None) -> list[object]:
    def one(value: object) -> object:
        if isinstance(value, list):
            return [name for name in map(one, value) if name is not None]
        if names is None or not isinstance(value, int) or isinstance(value, bool):
            return value
        return names[value] if 0 <= value < len(names) else None

    return values if names is None else [one(value) for value in values]


def _sizes(values: Any) -> list[int]:
    if not isinstance(values, list) or not all(type(value) is int for value in values):
        raise Refused(_INVALID)
    return values
