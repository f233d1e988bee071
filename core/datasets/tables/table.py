"""A table of any form as rows: the path of an image, its captions, and metadata columns with one type each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core.datasets.bounds import Refused
from core.datasets.dataset import Refusal, Remark, Value
from core.datasets.tables import workbook
from core.datasets.tables.cells import Cells, is_missing, typed
from core.datasets.tables.delimited import read_delimited
from core.datasets.tables.grid import Grid, roles
from core.datasets.tables.json_forms import objects_grid, read_json
from core.datasets.tables.parquet import is_parquet, read_parquet
from core.datasets.tables.problems import Problems
from core.settings import Limits

_JSON = (".json", ".jsonl", ".ndjson")
# A text file in a folder may be anything; it is a table if it names images.
_PERHAPS = (".txt", ".token", *_JSON)
ENDINGS = (".csv", ".tsv", *_PERHAPS, *workbook.ENDINGS, ".parquet")


@dataclass(frozen=True)
class Row:
    """What one row says of the image at `path`, as the table writes it. The row below the header has `number` 1."""

    number: int
    path: str
    captions: tuple[str, ...]
    metadata: dict[str, Value]


@dataclass(frozen=True)
class Table:
    """A table's rows, the names of its metadata columns, what of it was left out, and how it was read."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    refusals: tuple[Refusal, ...]
    remarks: tuple[Remark, ...] = ()


def is_table(name: str, data: bytes) -> bool:
    """Whether a file that is no image is to be read as a table: Parquet by content, other forms by name."""
    return is_parquet(data) or name.lower().endswith(ENDINGS)


def read_table(name: str, data: bytes, limits: Limits) -> Table:
    """The table in `data`. Raises `Refused` if it cannot be read, has no image column or is outside the limits.

    A hostile file may take any time and memory: `core.datasets.opening` runs this in a child.
    """
    if not data:
        raise Refused("is empty (0 bytes); export it again")
    problems, remarks = Problems(), Problems()
    return _table(name, _grid(name.lower(), data, problems, remarks, limits), problems, remarks, limits)


def table_of_objects(name: str, objects: list[dict[str, Any]], problems: Problems, limits: Limits) -> Table:
    """The table that objects with an `image` each make, as lines of JSON do; `problems` begin its refusals.

    Raises `Refused` outside the limits.
    """
    return _table(name, objects_grid(enumerate(objects, start=1), problems, limits), problems, Problems(), limits)


def table_of_columns(
    name: str, header: list[str], columns: list[list[object]], problems: Problems, limits: Limits
) -> Table:
    """The table of columns whose cells have their types already; `problems` begin its refusals.

    Raises `Refused` outside the limits.
    """
    rows = len(columns[0]) if columns else 0
    return _table(name, Grid(header, range(1, rows + 1), columns, typed=True), problems, Problems(), limits)


def _table(name: str, grid: Grid, problems: Problems, remarks: Problems, limits: Limits) -> Table:
    image, captions = roles(grid.header, limits)
    # Paths and captions stay as they were written: 7.50 is not 7.5, and a name may be 0.10.
    cells = [
        column if grid.typed or position == image or position in captions else typed(column)
        for position, column in enumerate(grid.columns)
    ]
    clean = Cells(problems, limits)
    rows = []
    for index, number in enumerate(grid.numbers):
        place = f"row {number}"
        path = cells[image][index]
        if is_missing(path):
            problems.add("has rows without an image; fill in the path", place)
            continue
        if len(str(path)) > limits.path_characters:
            problems.add(f"has paths of more than {limits.path_characters:,} characters, which were left out", place)
            continue
        texts = clean.captions([cells[column][index] for column in captions], place)
        metadata: dict[str, Value] = {}
        for position, column in enumerate(grid.header):
            if position != image and position not in captions:
                metadata[column] = clean.value(cells[position][index], place)
        rows.append(Row(number, str(path).strip(), texts, metadata))
    columns = tuple(name for number, name in enumerate(grid.header) if number != image and number not in captions)
    return Table(name, columns, tuple(rows), problems.refusals(name), remarks.remarks(name))


def _grid(name: str, data: bytes, problems: Problems, remarks: Problems, limits: Limits) -> Grid:
    if is_parquet(data):
        header, cells, left_out = read_parquet(data, limits)
        for column in left_out:
            problems.add("has columns that contain neither text, numbers, dates nor truth values", column)
        return Grid(header, range(1, len(cells[0]) + 1) if cells else [], cells, typed=True)
    if name.endswith(".parquet"):
        raise Refused("is not a Parquet file; export it again")
    if name.endswith(workbook.ENDINGS):
        return workbook.read_workbook(data, remarks, limits)
    if name.endswith(_JSON):
        return read_json(data, problems, remarks, limits)
    return read_delimited(data, problems, remarks, limits)
