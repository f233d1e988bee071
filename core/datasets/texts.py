"""Text as rows: of a CSV file that people bring, and of one that is given back to them."""

from __future__ import annotations

import csv
import io
import os
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from core.datasets.encoding import decode
from core.errors import InputError
from core.settings import Limits

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def decode_text(data: bytes, title: str) -> str:
    """The text of a file, in UTF-8, UTF-16 with a mark, or an encoding that is recognised with confidence.

    Raises `InputError` for bytes that are not text, and for an encoding that is not recognised.
    """
    try:
        return decode(data).text
    except InputError as error:
        raise InputError(f"{title} {error}") from error


def escape_cell(value: object) -> str | int | float | bool | None:
    """`value` as a cell that no spreadsheet takes for a formula: text starting with = + - @ tab or CR gets a '.

    Numbers, truth values and None come back as they are, so that a column of numbers stays one.
    """
    if value is None or isinstance(value, (bool, int, float)):
        return value
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def write_csv(path: Path, rows: Iterable[Mapping[str, object]], columns: Sequence[str]) -> None:
    """Writes a UTF-8 CSV with a header and the given columns; missing cells are empty, texts are escaped.

    The file appears complete or not at all.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with temporary.open("x", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow([escape_cell(column) for column in columns])
            writer.writerows([escape_cell(row.get(column)) for column in columns] for row in rows)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def parse_rows(text: str, delimiter: str, limits: Limits) -> list[tuple[int, list[str]]]:
    """The rows of a CSV text with the number of each, the header being 0; blank rows are left out.

    Raises `InputError` with the line for a broken quote or a cell that is too long, and for too many rows or cells.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[tuple[int, list[str]]] = []
    most, cells = limits.table_rows, 0
    try:
        for number, row in enumerate(reader):
            cells += len(row)
            if cells > limits.table_cells:
                raise InputError(f"has more than {limits.table_cells:,} cells; remove columns or split it")
            if any(cell.strip() for cell in row):
                rows.append((number, row))
            if len(rows) > most + 1:
                raise InputError(f"has more than {most:,} rows; split it")
    except csv.Error as error:
        if "field limit" in str(error):
            raise InputError(f"has a cell of more than {csv.field_size_limit():,} characters; shorten it") from error
        raise InputError(
            f"cannot be read as a table at line {reader.line_num} ({error}); check its quotation marks"
        ) from error
    return rows
