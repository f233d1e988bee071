"""A filled-in sheet: rows of a CSV file that a person edited, with known columns. Read in a child with limits."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.characters import brief, printable
from core.datasets.opening import opened
from core.datasets.texts import decode_text, parse_rows
from core.errors import InputError, Refused
from core.sandbox import named_file
from core.settings import LIMITS, Limits

SheetRow = tuple[int, dict[str, str]]


def read_sheet(path: Path, columns: Sequence[str], limits: Limits = LIMITS) -> list[SheetRow]:
    """The rows of a CSV file with the line number of each (the header is line 1) and its cells in `columns`.

    Other columns are ignored, blank rows left out. The delimiter is a comma, a semicolon or a tab. Raises `InputError`
    in one line if the file cannot be read, is no table, or lacks a column.
    """
    title = brief(path.name, 80)
    data = named_file(path, limits.file_bytes)
    try:
        answer = opened(rows_of, limits.table_bytes, limits, list(columns), dataclasses.asdict(limits), data=data).value
        rows = [(int(number), {column: str(cells[column]) for column in columns}) for number, cells in answer]
    except Refused as refused:
        raise InputError(f"{title} {refused}") from refused
    except (TypeError, ValueError, KeyError) as error:
        raise InputError(f"{title} cannot be read; save it again as CSV") from error
    return rows


def rows_of(data: bytes, columns: list[str], limits: dict[str, Any]) -> tuple[Any, bytes]:
    """Task: the rows of a sheet. Raises `Refused` if it is none."""
    bounds = Limits(**limits)
    try:
        # The caller names the file.
        text = decode_text(data, "")
        header_line = re.split("[\r\n]", text.lstrip("\r\n"), maxsplit=1)[0]
        delimiter = max(",;\t", key=header_line.count)
        rows = parse_rows(text, delimiter, bounds)
    except InputError as error:
        raise Refused(str(error).lstrip()) from error
    if not rows:
        raise Refused("is empty; export the sheet again")
    header = [printable(cell).lower() for cell in rows[0][1]]
    for column in columns:
        if header.count(column) != 1:
            there = brief(", ".join(header[:8]), 200)
            wrong = "has no column" if column not in header else "has two columns"
            raise Refused(f"{wrong} {column!r}; keep the header of the exported sheet (here: {there})")
    places = [header.index(column) for column in columns]
    found = []
    for number, cells in rows[1:]:
        if len(cells) < max(places) + 1:
            raise Refused(f"has too few cells in row {number + 1}; keep the columns of the exported sheet")
        if any(len(cells[at]) > bounds.text_characters for at in places):
            raise Refused(f"has a cell of more than {bounds.text_characters:,} characters in row {number + 1}")
        found.append((number + 1, {column: printable(cells[at]) for column, at in zip(columns, places, strict=True)}))
    return found, b""
