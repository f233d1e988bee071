"""A table of the report on a page."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import streamlit as st

from core.content.tables import Rows, TableSpec
from core.rules.writing import unbroken

# Streamlit wraps texts only in rows above 4 rem (64 pixels), and only in columns of a given width.
TALL = 66
# The width of a column in pixels if its longest text has more than so many characters.
WIDTHS = ((60, 380), (30, 240))


def show(spec: TableSpec, rows: Rows, *, height: int | Literal["auto"] = "auto", wrap: bool = False) -> None:
    """The rows as `spec` declares them, with the help of each column; long texts are cut unless they `wrap`."""
    frame = spec.frame(rows).map(lambda value: unbroken(value) if wrap and isinstance(value, str) else value)
    widths = {title: _width(frame[title]) if wrap else None for title in frame}
    config = {title: st.column_config.Column(help=spec.helps.get(title), width=widths[title]) for title in frame}
    st.dataframe(frame, hide_index=True, height=height, column_config=config, row_height=TALL if wrap else None)


def _width(column: Iterable[Any]) -> int | None:
    longest = max((len(str(value)) for value in column), default=0)
    return next((width for least, width in WIDTHS if longest > least), None)
