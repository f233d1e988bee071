"""Text that people bring (prompt and class lists) and text that is given back to them (CSV files)."""

from __future__ import annotations

import codecs
import csv
import io
import os
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from core.errors import InputError
from core.settings import Limits

TABLE_ENDINGS = (".csv", ".tsv")

_HEADERS = {
    "text",
    "prompt",
    "caption",
    "class",
    "label",
    "name",
    "title",
    "sentence",
    "concept",
    "classname",
    "category",
}
_BINARY = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff]")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def texts_of(source: str | bytes, title: str, limits: Limits) -> tuple[str, ...]:
    """The texts of a list in their order: see `core.datasets.read_texts`.

    Raises `InputError` for bytes that are no text, and for too many or too long texts.
    """
    text = source if isinstance(source, str) else decode_text(source, title)
    if _BINARY.search(text):
        raise InputError(f"{title} holds control characters; save it as plain UTF-8 text")
    lines = _first_column(text, title, limits) if title.lower().endswith(TABLE_ENDINGS) else text.splitlines()
    stripped = (line.strip() for line in lines)
    texts = tuple(dict.fromkeys(line for line in stripped if line and not line.startswith("#")))
    if len(texts) > limits.texts:
        raise InputError(f"{title} holds {len(texts):,} texts; at most {limits.texts:,} are accepted, shorten it")
    for line in texts:
        if len(line) > limits.text_characters:
            raise InputError(
                f"{title} holds a text of {len(line):,} characters ({line[:40]!r}...); "
                f"at most {limits.text_characters:,} are accepted, shorten it"
            )
    return texts


def decode_text(data: bytes, title: str) -> str:
    """The text of a file: UTF-8 (with or without a mark), UTF-16 with a mark, else Windows-1252, Latin-1's superset.

    Raises `InputError` if it is none of these; any byte would pass as Latin-1, so control characters tell.
    """
    encodings = ("utf-16",) if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else ("utf-8-sig", "cp1252")
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if not _BINARY.search(text):
            return text
    raise InputError(f"{title} is not a text file in UTF-8 or Latin-1; save it as UTF-8 text")


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
                raise InputError(f"has more than {limits.table_cells:,} cells; leave columns out or split it")
            if any(cell.strip() for cell in row):
                rows.append((number, row))
            if len(rows) > most + 1:
                raise InputError(f"has more than {most:,} rows; split it")
    except csv.Error as error:
        if "field limit" in str(error):
            raise InputError(f"has a cell of more than {csv.field_size_limit():,} characters; shorten it") from error
        raise InputError(f"can't be read as a table at line {reader.line_num} ({error}); check its quotes") from error
    return rows


def _first_column(text: str, title: str, limits: Limits) -> list[str]:
    try:
        rows = parse_rows(text, "\t" if title.lower().endswith(".tsv") else ",", limits)
    except InputError as error:
        raise InputError(f"{title} {error}") from error
    cells = [" ".join(row[0].split()) for _, row in rows]
    header = re.sub(r"[^a-z]", "", cells[0].lower()) if cells else ""
    known = header in _HEADERS or header.removesuffix("s") in _HEADERS or header.removesuffix("es") in _HEADERS
    return cells[1:] if known else cells
