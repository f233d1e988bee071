"""Tables that say more about images, in the forms that people have: each becomes the same rows."""

from __future__ import annotations

from core.datasets.tables.grid import is_image_name
from core.datasets.tables.message import packed_table, unpacked_table
from core.datasets.tables.problems import Problems
from core.datasets.tables.table import (
    ENDINGS,
    Row,
    Table,
    is_table,
    read_table,
    table_of_columns,
    table_of_objects,
)  # fmt: skip
from core.datasets.tables.workbook import ENDINGS as WORKBOOKS

__all__ = [
    "ENDINGS",
    "WORKBOOKS",
    "Problems",
    "Row",
    "Table",
    "is_image_name",
    "is_table",
    "packed_table",
    "read_table",
    "table_of_columns",
    "table_of_objects",
    "unpacked_table",
]
