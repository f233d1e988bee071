"""CSV and Parquet tables that say more about pictures: captions, and metadata columns with one type each."""

from __future__ import annotations

import csv
import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from core.datasets.bounds import Refused
from core.datasets.columnar import is_parquet, read_parquet
from core.datasets.dataset import Refusal, Value
from core.datasets.names import printable
from core.datasets.texts import TABLE_ENDINGS, decode_text, parse_rows
from core.errors import InputError
from core.settings import Limits

IMAGE_COLUMNS = ("image", "path", "file", "filename", "filepath")
CAPTION_COLUMNS = ("caption", "captions", "text", "sentence", "title")

_FIRST_LINE = re.compile(r"[\r\n]*([^\r\n]*)")
_NUMBERED_CAPTION = re.compile(r"^(caption|text|sentence|title)s?\d+$")
_INTEGER = re.compile(r"^[+-]?(0|[1-9][0-9]{0,14})$")  # no leading zeros: 007 is a code, not a number
_FLOAT = re.compile(r"^[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$")
_PLACES, _LONGEST_PLACE, _REASONS = 3, 200, 1_000
_LONGEST_COLUMN = 200
_BOOLEANS = {"true": True, "false": False}


@dataclass(frozen=True)
class Row:
    """What one row says of the picture at `path`, as the table writes it. The row below the header has `number` 1."""

    number: int
    path: str
    captions: tuple[str, ...]
    metadata: dict[str, Value]


@dataclass(frozen=True)
class Table:
    """A table's rows, the names of its metadata columns, and what of it was left out."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    refusals: tuple[Refusal, ...]


@dataclass
class Problems:
    """Collects what is wrong with many rows, to tell it once instead of thousands of times."""

    where: dict[str, tuple[int, list[str]]] = field(default_factory=dict)  # how often, and the first places

    def add(self, reason: str, place: str) -> None:
        """Notes that `reason` holds for `place` (a row or a picture)."""
        if reason not in self.where and len(self.where) >= _REASONS:
            reason = "has problems of more kinds than are listed"
        count, places = self.where.get(reason, (0, []))
        if count < _PLACES:
            places.append(place[:_LONGEST_PLACE])
        self.where[reason] = count + 1, places

    def refusals(self, name: str) -> tuple[Refusal, ...]:
        """One refusal a reason, naming the first three places."""
        result = []
        for reason, (count, places) in self.where.items():
            more = f" and {count - _PLACES:,} more" if count > _PLACES else ""
            result.append(Refusal(name=name, reason=f"{reason} ({', '.join(places)}{more})"))
        return tuple(result)


def is_table(name: str, data: bytes) -> bool:
    """Whether a file that is no picture is to be read as a table: Parquet by content, CSV and TSV by name."""
    return is_parquet(data) or name.lower().endswith(TABLE_ENDINGS)


def read_table(name: str, data: bytes, limits: Limits) -> Table:
    """The table in `data`. Raises `Refused` if it can't be read, has no image column or is outside the limits.

    A hostile file may take any time and memory: `core.datasets.opening` runs this in a child.
    """
    if not data:
        raise Refused("is empty (0 bytes); export it again")
    problems = Problems()
    if is_parquet(data):
        header, cells, left_out = read_parquet(data, limits)
        numbers: Sequence[int] = range(1, len(cells[0]) + 1) if cells else []
        for column in left_out:
            problems.add("has columns that hold neither text, numbers, dates nor truth values", column)
    else:
        header, numbers, cells = _read_csv(data, problems, limits)
        cells = [_typed(column) for column in cells]
    image, captions = _roles(header, limits)
    clean = _Cells(problems, limits)
    rows = []
    for index, number in enumerate(numbers):
        place = f"row {number}"
        path = cells[image][index]
        if path is None or not str(path).strip():
            problems.add("has rows that name no picture; fill in the path", place)
            continue
        if len(str(path)) > limits.path_characters:
            problems.add(f"has paths of more than {limits.path_characters:,} characters, left out", place)
            continue
        texts = clean.captions([cells[column][index] for column in captions], place)
        metadata: dict[str, Value] = {}
        for position, column in enumerate(header):
            if position != image and position not in captions:
                metadata[column] = clean.value(cells[position][index], place)
        rows.append(Row(number, str(path), texts, metadata))
    columns = tuple(name for number, name in enumerate(header) if number != image and number not in captions)
    return Table(name, columns, tuple(rows), problems.refusals(name))


def _read_csv(data: bytes, problems: Problems, limits: Limits) -> tuple[list[str], list[int], list[list[object]]]:
    """The header, the number of each row, and the cells of each column."""
    try:
        text = decode_text(data, "the table")
        rows = parse_rows(text, _delimiter(text), limits)
    except InputError as error:
        raise Refused(str(error)) from error
    if not rows:
        raise Refused("holds no rows; export it again")
    header = _header(rows[0][1])
    numbers: list[int] = []
    cells: list[list[object]] = [[] for _ in header]
    for number, row in rows[1:]:
        if len(row) != len(header):
            reason = f"has rows with more or fewer than {len(header)} cells, left out; quote cells that hold commas"
            problems.add(reason, f"row {number}")
            continue
        numbers.append(number)
        for column, cell in zip(cells, row, strict=True):
            column.append(cell)
    return header, numbers, cells


def _delimiter(text: str) -> str:
    """The delimiter that makes an image column of the first line, and most columns where several do."""
    first = _FIRST_LINE.match(text)
    widths = {}
    for delimiter in (",", ";", "\t", "|"):
        try:
            header = _header(next(csv.reader([first[1] if first else ""], delimiter=delimiter), []))
        except csv.Error:
            # Taken whole, the line is longer than a cell may be; another delimiter may part it.
            continue
        if _image_column(header) is not None:
            widths[delimiter] = len(header)
    return max(widths, key=lambda delimiter: widths[delimiter], default=",")


def _header(cells: Sequence[str]) -> list[str]:
    return [printable(cell) or f"column {number}" for number, cell in enumerate(cells, start=1)]


def _plain(column: str) -> str:
    return re.sub(r"[\s_-]", "", column.lower())


def _image_column(header: Sequence[str]) -> int | None:
    plain = [_plain(column) for column in header]
    return next((plain.index(name) for name in (*IMAGE_COLUMNS, "imagepath", "imagefile") if name in plain), None)


def _roles(header: Sequence[str], limits: Limits) -> tuple[int, list[int]]:
    """Where the image path and the captions are; every other column is metadata."""
    if len(header) > limits.table_columns:
        raise Refused(f"has {len(header):,} columns; at most {limits.table_columns:,} are accepted, leave some out")
    longest = max(map(len, header), default=0)
    if longest > _LONGEST_COLUMN:
        raise Refused(f"has a column name of {longest:,} characters; at most {_LONGEST_COLUMN} are accepted")
    twice = next((column for column, count in Counter(header).items() if count > 1), None)
    if twice is not None:
        raise Refused(f"has two columns named {twice!r}; rename one")
    image = _image_column(header)
    if image is None:
        there = ", ".join(header[:8]) + (", ..." if len(header) > 8 else "")
        raise Refused(f"has no column of image paths: name it {', '.join(IMAGE_COLUMNS)}; its columns are {there}")
    plain = [_plain(column) for column in header]
    captions = [plain.index(name) for name in CAPTION_COLUMNS if name in plain][:1]
    captions += [number for number, name in enumerate(plain) if _NUMBERED_CAPTION.match(name)]
    return image, captions


class _Cells:
    """Cells as they are kept. A text that stands in thousands of rows is looked at once."""

    def __init__(self, problems: Problems, limits: Limits) -> None:
        self.problems = problems
        self.limits = limits
        self.known: dict[str, str | None] = {}

    def text(self, raw: str, what: str, place: str) -> str:
        """A text without what cannot be printed; empty, with a note of the problem, if it is too long."""
        if raw not in self.known:
            # Its length is looked at before anything that takes longer for a longer text.
            short = raw if len(raw) <= self.limits.text_characters else raw.strip()
            self.known[raw] = printable(short) if len(short) <= self.limits.text_characters else None
        found = self.known[raw]
        if found is None:
            self.problems.add(f"has {what} of more than {self.limits.text_characters:,} characters, left out", place)
        return found or ""

    def captions(self, cells: Sequence[object], place: str) -> tuple[str, ...]:
        """The captions of a row, each once."""
        found: dict[str, None] = {}
        for cell in cells:
            for value in cell if isinstance(cell, list) else [cell]:
                if value is not None and (text := self.text(str(value), "captions", place)):
                    found[text] = None
        return tuple(found)

    def value(self, cell: object, place: str) -> Value:
        """A metadata cell as a value that JSON can hold."""
        if cell is None or isinstance(cell, (bool, int)):
            return cell
        if isinstance(cell, float):
            if math.isfinite(cell):
                return cell
            return None if math.isnan(cell) else str(cell)
        whole = ", ".join(map(str, cell)) if isinstance(cell, list) else str(cell)
        return self.text(whole, "cells", place) or None


def _typed(cells: Sequence[object]) -> list[object]:
    """A CSV column with one type: whole numbers, numbers or truth values if all its cells are, else text."""
    texts = [str(cell).strip() for cell in cells]
    filled = [text for text in texts if text]
    convert: Callable[[str], object] = str
    if filled and all(_INTEGER.match(text) for text in filled):
        convert = int
    elif filled and all(_FLOAT.match(text) and math.isfinite(float(text)) for text in filled):
        convert = float
    elif filled and all(text.lower() in _BOOLEANS for text in filled):
        convert = _boolean
    return [convert(text) if text else None for text in texts]


def _boolean(text: str) -> bool:
    return _BOOLEANS[text.lower()]
