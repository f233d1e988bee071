"""Tables as text: cells between commas, semicolons, tabs or bars, and the caption files of Flickr8k and Flickr30k."""

from __future__ import annotations

import csv
import re

from core.datasets.bounds import Refused
from core.datasets.tables.grid import IMAGE_ENDING, Grid, image_column, is_image_name, named, text_in
from core.datasets.tables.problems import Problems
from core.datasets.texts import parse_rows
from core.errors import InputError
from core.settings import Limits

_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_STATED = re.compile(r"sep=([,;\t|])[\t,;| ]*(?:\r\n|\r|\n)", re.IGNORECASE)
_FIRST_LINE = re.compile(r"[\r\n]*([^\r\n]*)")
_NUMBERED_NAME = re.compile(rf"({IMAGE_ENDING})#[0-9]+$", re.IGNORECASE)


def read_delimited(data: bytes, problems: Problems, remarks: Problems, limits: Limits) -> Grid:
    """The header, the number of each row, and the cells of each column, all of them texts.

    A table without a header whose first cell is the name of an image has the columns image, caption, and so on.
    Raises `Refused` for what is no text or no table, or outside the limits.
    """
    text = text_in(data, remarks)
    # A spreadsheet writes the separator above the header for its own use.
    stated = _STATED.match(text)
    text = text[stated.end() :] if stated else text
    delimiter = stated[1] if stated else _delimiter(text)
    try:
        rows = parse_rows(text, delimiter, limits)
    except InputError as error:
        raise Refused(str(error)) from error
    if not rows:
        raise Refused("has no rows; export it again")
    header, body = named(rows[0][1]), rows[1:]
    if image_column(header) is None and is_image_name(rows[0][1][0]):
        others = [f"column {number}" for number in range(3, len(header) + 1)]
        header, body = ["image", "caption", *others][: len(header)], [(number + 1, row) for number, row in rows]
        remarks.add("has no header: its first column was read as image paths and its second as captions", "")
    numbers: list[int] = []
    columns: list[list[object]] = [[] for _ in header]
    for number, row in body:
        if len(row) != len(header):
            reason = (
                f"has rows with more or fewer than {len(header)} cells, which were left out; quote cells that "
                f"contain {_NAMES[delimiter]}"
            )
            problems.add(reason, f"row {number}")
            continue
        numbers.append(number)
        for column, cell in zip(columns, row, strict=True):
            column.append(cell)
    paths = image_column(header)
    if paths is not None:
        columns[paths] = [_NUMBERED_NAME.sub(r"\1", str(cell)) for cell in columns[paths]]
    return Grid(header, numbers, columns, typed=False)


def _delimiter(text: str) -> str:
    """The delimiter that makes an image column of the first line, and most columns where several do."""
    first = _FIRST_LINE.match(text)
    widths, without_header = {}, {}
    for delimiter in _NAMES:
        try:
            cells = next(csv.reader([first[1] if first else ""], delimiter=delimiter), [])
        except csv.Error:
            # Taken whole, the line is longer than a cell may be; another delimiter may part it.
            continue
        if image_column(named(cells)) is not None:
            widths[delimiter] = len(cells)
        elif len(cells) > 1 and is_image_name(cells[0]):
            without_header[delimiter] = len(cells)
    # The text of a caption holds commas and semicolons, so that of a file without a header the fewest cells count.
    fewest = min(without_header, key=lambda delimiter: without_header[delimiter], default=",")
    return max(widths, key=lambda delimiter: widths[delimiter], default=fewest)
