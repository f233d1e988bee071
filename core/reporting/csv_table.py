"""Tables as CSV that no spreadsheet takes for formulas."""

from __future__ import annotations

import csv
import io
from typing import Any

import pandas as pd

from core.characters import legible
from core.datasets import escape_cell


def table_csv(frame: pd.DataFrame) -> bytes:
    """A table as UTF-8 CSV in which no text cell starts a spreadsheet formula."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([escape_cell(str(name)) for name in frame.columns])
    for row in frame.itertuples(index=False, name=None):
        writer.writerow([None if _missing(cell) else escape_cell(cell) for cell in row])
    return legible(stream.getvalue()).encode()


def _missing(cell: Any) -> bool:
    return cell is None or (isinstance(cell, float) and cell != cell)
