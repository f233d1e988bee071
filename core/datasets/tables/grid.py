"""What any form of table is read into: a header, numbered rows, and columns of cells."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from core.characters import printable
from core.datasets.bounds import Refused
from core.datasets.encoding import decode
from core.datasets.tables.problems import Problems
from core.errors import InputError
from core.settings import Limits

IMAGE_COLUMNS = ("image", "path", "file", "filename", "filepath")
CAPTION_COLUMNS = ("caption", "captions", "text", "sentence", "title", "comment", "description")

IMAGE_ENDING = r"\.(?:jpe?g|png|webp|bmp|gif|tiff?|avif|hei[cf]|dcm|dicom)"
_IMAGE_NAME = re.compile(rf"{IMAGE_ENDING}(#[0-9]+)?$", re.IGNORECASE)
_MORE_IMAGE_COLUMNS = ("imagepath", "imagefile", "imagename", "imagefilename", "img", "imgpath")
_NUMBERED_CAPTION = re.compile(r"^(caption|text|sentence|title|comment)s?\d+$")
_LONGEST_COLUMN = 200


@dataclass
class Grid:
    """Columns of cells, each None, a text, a number, a truth value, a date or a list of texts.

    `numbers` are those of the rows; the row below the header is 1. `typed` tells whether the file states the type of a
    cell, or all of them are texts.
    """

    header: list[str]
    numbers: Sequence[int]
    columns: list[list[object]]
    typed: bool


def text_in(data: bytes, remarks: Problems) -> str:
    """The text of a file, with a remark if its encoding was recognised. Raises `Refused` if it is none."""
    try:
        decoding = decode(data)
    except InputError as error:
        raise Refused(str(error)) from error
    if decoding.guess:
        remarks.add(decoding.remark, "")
    return decoding.text


def named(cells: Sequence[object]) -> list[str]:
    """The names of columns: printable, and never empty."""
    return [
        printable("" if cell is None else str(cell)) or f"column {number}" for number, cell in enumerate(cells, start=1)
    ]


def image_column(header: Sequence[str]) -> int | None:
    """Where the paths of the images are, or None."""
    plain = [_plain(column) for column in header]
    return next((plain.index(name) for name in (*IMAGE_COLUMNS, *_MORE_IMAGE_COLUMNS) if name in plain), None)


def is_image_name(text: str) -> bool:
    """Whether a text ends as the file name of an image does; Flickr8k numbers the captions of one behind it."""
    return _IMAGE_NAME.search(text.strip()) is not None


def roles(header: Sequence[str], limits: Limits) -> tuple[int, list[int]]:
    """Where the image path and the captions are; every other column is metadata. Raises `Refused` without a path."""
    if len(header) > limits.table_columns:
        raise Refused(f"has {len(header):,} columns; at most {limits.table_columns:,} are accepted, so remove some")
    longest = max(map(len, header), default=0)
    if longest > _LONGEST_COLUMN:
        raise Refused(f"has a column name of {longest:,} characters; at most {_LONGEST_COLUMN} are accepted")
    twice = next((column for column, count in Counter(header).items() if count > 1), None)
    if twice is not None:
        raise Refused(f"has two columns named {twice!r}; rename one")
    image = image_column(header)
    if image is None:
        there = ", ".join(header[:8]) + (", ..." if len(header) > 8 else "")
        raise Refused(
            f"has no column with image paths: name it {', '.join(IMAGE_COLUMNS)} in the first row; its columns are "
            f"{there}"
        )
    plain = [_plain(column) for column in header]
    captions = [plain.index(name) for name in CAPTION_COLUMNS if name in plain][:1]
    captions += [number for number, name in enumerate(plain) if _NUMBERED_CAPTION.match(name)]
    return image, captions


def count_cells(cells: int, limits: Limits) -> None:
    """Raises `Refused` if a table has more cells than are accepted."""
    if cells > limits.table_cells:
        raise Refused(f"has more than {limits.table_cells:,} cells; remove columns or split it")


def count_rows(rows: int, limits: Limits) -> None:
    """Raises `Refused` if a table has more rows than are accepted."""
    if rows > limits.table_rows:
        raise Refused(f"has more than {limits.table_rows:,} rows; split it")


def _plain(column: str) -> str:
    return re.sub(r"[\s_-]", "", column.lower())
