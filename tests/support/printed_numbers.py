"""The numbers that the tables of a report in HTML print."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

_NUMBER = re.compile(r"[\u2212-]?\d[\d,]*(?:\.\d+)?")


@dataclass(frozen=True)
class Printed:
    """A number of the report: the table's caption, its row and column, which number of the cell, and what it says."""

    caption: str
    row: str
    column: str
    part: str
    text: str

    def agrees(self, value: float) -> bool:
        """Whether a value rounds to what is printed, give or take a rounding of a float."""
        digits = len(self.text.partition(".")[2])
        return abs(float(_plain(self.text)) - value) <= 0.5 * 10**-digits * (1 + 1e-6) + 2e-6


class Tables(HTMLParser):
    """The tables of a page: caption, and the texts of their cells by row."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, list[list[str]]]] = []
        self._caption, self._rows, self._text = "", [[""]], ""

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag == "table":
            self._caption, self._rows = "", []
        elif tag == "tr":
            self._rows.append([])
        if tag in ("td", "th", "caption"):
            self._text = ""

    def handle_data(self, data: str) -> None:
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        told = " ".join(self._text.replace("\u00a0", " ").replace("\u202f", " ").split())
        if tag in ("td", "th") and self._rows:
            self._rows[-1].append(told)
        elif tag == "caption":
            self._caption = told
        elif tag == "table":
            self.found.append((self._caption, self._rows))


def numbers_of(cell: str) -> Iterator[tuple[str, str]]:
    first = _NUMBER.match(cell)
    if first is None:
        return
    yield "value", first[0]
    for part, form in (("median", r"median (\S+)|\((\S+)\)$"), ("n", r"n = (\d+)")):
        found = re.search(form, cell)
        text = next((group for group in found.groups() if group), "") if found else ""
        if _NUMBER.fullmatch(text):
            yield part, text


def _plain(text: str) -> str:
    return text.replace("\u2212", "-").replace(",", "")
