"""One declaration of a table, from which the report prints it and a page shows it. No torch, no Streamlit.

    METHODS = TableSpec(
        ColumnSpec("Method", lambda row: title_of(row.method), share=26),
        ColumnSpec("n", "n", "number", 6, value="n"),
    )
    METHODS.table("Methods by ...", frame)      # the report: `core.content.parts.Table`
    METHODS.frame(frame), METHODS.helps         # a page: `pages.parts.tables.show(METHODS, frame)`

A cell is the text that the report prints. `value` is what a page sorts by, where the text would sort wrongly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from core.content.parts import Cell, Column, Place, Row, Table
from core.content.promises import NO_INTERVAL, prints_interval, promised
from core.glossary import help_of
from core.languages import say

if TYPE_CHECKING:
    import pandas as pd
else:
    from core.deferred import pandas as pd

Getter: TypeAlias = str | int | Callable[[Any], Any]
Rows: TypeAlias = "pd.DataFrame | Iterable[Any]"


@dataclass(frozen=True)
class ColumnSpec:
    """A column.

    cell: the name of a field, the position in a tuple, or a function of the row; its value is printed as text.
    kind, share: as in `Column`: how the report sets it, and its share of the width in percent.
    help: what the column says, for a page's tooltip, where its title is not a term of the glossary with that meaning.
    value: what a page shows instead of the text, so that its rows can be sorted by it.
    only: where the column stands, if not in both.
    """

    title: str
    cell: Getter
    kind: Cell = "text"
    share: int = 0
    help: str = ""
    value: Getter | None = None
    only: Literal["", "page", "report"] = ""

    def text(self, row: Any) -> str:
        """The cell as printed."""
        return str(_of(self.cell, row))


class TableSpec:
    """The columns of a table."""

    def __init__(self, *columns: ColumnSpec) -> None:
        self.columns = columns

    def table(self, caption: str, rows: Rows, more: str = "", place: Place = "annex") -> Table:
        """The table as the report prints it; `place` is "body" where it carries the conclusion of its chapter.

        Caption and headings promise an interval only where a cell has one.
        """
        columns = [column for column in self.columns if column.only != "page"]
        texts: list[Row] = [tuple(column.text(row) for column in columns) for row in _each(rows)]
        shown = [prints_interval(text[at] for text in texts) for at in range(len(columns))]
        lacking = say(NO_INTERVAL)
        if not any(shown) and any(lacking in cell for text in texts for cell in text):
            # Said once, where it is true of every cell.
            texts = [tuple(cell.replace(f" {lacking}", "") for cell in text) for text in texts]
            more = f"{say('No value has an interval: n is too small.')} {more}".strip()
        heads = tuple(
            Column(promised(column.title, has), column.kind, column.share)
            for column, has in zip(columns, shown, strict=True)
        )
        return Table(promised(caption, any(shown) or not texts), heads, tuple(texts), more, place)

    def frame(self, rows: Rows) -> pd.DataFrame:
        """The table as a page shows it: titles as columns; numbers where a column has a `value`."""
        columns = [column for column in self.columns if column.only != "report"]
        each = list(_each(rows))
        cells = {
            column.title: [column.text(row) if column.value is None else _of(column.value, row) for row in each]
            for column in columns
        }
        return pd.DataFrame(cells)

    @property
    def helps(self) -> dict[str, str]:
        """The help of each column that has one, by title: its own, otherwise what the glossary says of its title."""
        helps = {column.title: column.help or help_of(column.title) for column in self.columns}
        return {title: text for title, text in helps.items() if text}


def _of(getter: Getter, row: Any) -> Any:
    if isinstance(getter, str):
        return getattr(row, getter)
    return row[getter] if isinstance(getter, int) else getter(row)


def _each(rows: Rows) -> Iterable[Any]:
    return rows.itertuples() if isinstance(rows, pd.DataFrame) else rows
