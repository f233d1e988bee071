"""A table of the report on a page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import pandas as pd
import streamlit as st

from core.content.tables import Rows, TableSpec
from core.rules.writing import unbroken

# The width of a page in a window of 1440 pixels beside the navigation; less what a scroll bar takes.
PAGE = 970
# A letter, and what a cell has beside its letters.
LETTER, ROOM = 6.3, 24
# Streamlit wraps texts only in rows above 4 rem (64 pixels), and only in columns of a given width.
LINE, TALL, MOST_LINES = 20, 66, 6
HEAD, MOST_HEIGHT = 38, 640


def show(spec: TableSpec, rows: Rows, *, height: int | Literal["auto"] = "auto") -> None:
    """The rows as `spec` declares them, with the help of each column; long texts wrap where the page is too narrow."""
    frame = spec.frame(rows)
    widths = fitted(frame)
    row = None
    if widths:
        frame = frame.map(lambda value: unbroken(value) if isinstance(value, str) else value)
        row = _height(frame, widths)
        # Of tall rows the usual height would show three.
        height = min(HEAD + len(frame) * row, MOST_HEIGHT) if height == "auto" else height
    config = {
        title: st.column_config.Column(help=spec.helps.get(title), width=widths.get(title)) for title in frame.columns
    }
    st.dataframe(frame, hide_index=True, height=height, column_config=config, row_height=row)


def fitted(frame: pd.DataFrame) -> dict[str, int]:
    """The width in pixels of each column that must be narrower than its longest cell, so that all fit on the page.

    The widest columns give way to one common width, but no column is cut within its title or a word. Without long
    texts, or where even that does not fit, the columns are as they are.
    """
    natural = {title: max(_width(title), *map(_width, frame[title]), 0.0) for title in frame.columns}
    if sum(natural.values()) <= PAGE:
        return {}
    least = {title: _least(title, frame[title]) for title in frame.columns}
    kept: dict[str, float] = {}
    common = 0.0
    while len(kept) < len(natural):
        left = [title for title in natural if title not in kept]
        common = (PAGE - sum(kept.values())) / len(left)
        # What a narrow column does not need is left to the wide ones; what a long word needs is taken from them.
        settled = {title: natural[title] for title in left if natural[title] <= common}
        settled = settled or {title: least[title] for title in left if least[title] > common}
        if not settled:
            break
        kept |= settled
    return {title: round(kept.get(title, common)) for title in natural if kept.get(title, common) < natural[title] - 1}


def _height(frame: pd.DataFrame, widths: Mapping[str, int]) -> int:
    """The height of a row in which the longest text of a column with a given width has room, up to a limit."""
    lines = 1
    for title, width in widths.items():
        longest = max((len(str(value)) for value in frame[title]), default=0)
        # A line ends where a word does, so that it holds fewer letters than there is room for.
        lines = max(lines, math.ceil(1.1 * longest * LETTER / (width - ROOM)))
    return max(TALL, LINE * min(lines, MOST_LINES) + 8)


def _width(value: object) -> float:
    return len(str(value)) * LETTER + ROOM


def _least(title: str, cells: Iterable[Any]) -> float:
    """What a column needs for its title, and for its longest word; a number is not parted."""
    words = (word for cell in cells for word in (str(cell).split() if isinstance(cell, str) else [str(cell)]))
    return max(_width(title), *map(_width, words), 0.0)
