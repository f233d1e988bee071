"""Workbooks of a spreadsheet program: Excel's .xlsx and .xls, and OpenDocument."""

from __future__ import annotations

import io
from typing import Any

from core.datasets.bounds import Refused
from core.datasets.tables.grid import Grid, count_cells, count_rows, image_column, named
from core.datasets.tables.problems import Problems
from core.settings import Limits

ENDINGS = (".xlsx", ".xlsm", ".xls", ".ods")


def read_workbook(data: bytes, remarks: Problems, limits: Limits) -> Grid:
    """The first sheet with a column of image paths, else the first that is filled.

    Formulas count with the value that was saved. Raises `Refused` for a damaged file and outside the limits.
    """
    # Here, because most processes never meet such a file.
    from python_calamine import CalamineWorkbook

    try:
        with CalamineWorkbook.from_filelike(io.BytesIO(data)) as workbook:
            sheets = [
                (name, _rows(workbook.get_sheet_by_name(name), name, remarks, limits)) for name in workbook.sheet_names
            ]
    except (Refused, MemoryError):
        raise
    except Exception as error:  # The library may fail in any way on damaged or hostile bytes: the file is refused.
        raise Refused(f"is a damaged or unsupported workbook ({type(error).__name__}); save it as CSV") from error
    filled = [(name, rows) for name, rows in sheets if rows]
    if not filled:
        raise Refused("has no rows; export it again")
    chosen = next((sheet for sheet in filled if image_column(named(sheet[1][0][1])) is not None), filled[0])
    if len(filled) > 1:
        remarks.add(f"has {len(filled)} filled sheets, of which one was read", chosen[0])
    first, *body = chosen[1]
    width = max(len(row) for _, row in chosen[1])
    while width and all(_cell(row, width - 1) is None for _, row in chosen[1]):
        width -= 1
    columns = [[_cell(row, position) for _, row in body] for position in range(width)]
    header = named([_cell(first[1], position) for position in range(width)])
    return Grid(header, [number for number, _ in body], columns, typed=True)


def _rows(sheet: Any, name: str, remarks: Problems, limits: Limits) -> list[tuple[int, list[Any]]]:
    """The rows that are not blank, with the number of each below the first."""
    rows: list[tuple[int, list[Any]]] = []
    cells, start = 0, None
    for number, row in enumerate(sheet.iter_rows()):
        cells += len(row)
        count_cells(cells, limits)
        if any(_cell(row, position) is not None for position in range(len(row))):
            start = number if start is None else start
            rows.append((number - start, row))
            count_rows(len(rows) - 1, limits)
    if _fill(sheet, rows, start or 0, limits):
        remarks.add("has merged cells; each of their rows got the value of the merged cell", name)
    return rows


def _fill(sheet: Any, rows: list[tuple[int, list[Any]]], first: int, limits: Limits) -> bool:
    """Gives each row below a merged cell the value of that cell, which a file states once; whether there was one."""
    at = dict(rows)
    filled = 0
    # Ranges count from the corner of the sheet, rows from its first filled cell.
    above, before = sheet.start or (0, 0)
    for (top, column), (bottom, _) in sheet.merged_cell_ranges or ():
        left = column - before
        value = at.get(top - above - first, [])[left : left + 1] if left >= 0 else []
        for number in range(top - above - first + 1, bottom - above - first + 1):
            filled += 1
            count_cells(filled, limits)
            row = at.get(number)
            if value and row is not None and left < len(row) and _cell(row, left) is None:
                row[left] = value[0]
    return filled > 0


def _cell(row: list[Any], position: int) -> object:
    """A cell; whole numbers, which a workbook stores with a fraction, are whole, and blank cells None."""
    value = row[position] if position < len(row) else None
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return None if isinstance(value, str) and not value.strip() else value
