"""What the cells of a table become: captions that stay as they were written, and metadata values of one type."""

from __future__ import annotations

import ast
import io
import json
import math
import re
import tokenize
from collections.abc import Callable, Sequence

from core.characters import printable
from core.datasets.dataset import Value
from core.datasets.tables.problems import Problems
from core.settings import Limits

# As pandas reads them, in this spelling: “none” in small letters is a value that people write.
MISSING = frozenset(
    ("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA")
    + ("NULL", "NaN", "None", "n/a", "nan", "null")
)

_INTEGER = re.compile(r"^[+-]?(0|[1-9][0-9]{0,14})$")  # no leading zeros: 007 is a code, not a number
_FLOAT = re.compile(r"^[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$")
_BOOLEANS = {"true": True, "false": False}
_LISTS = {"[": "]", "(": ")"}
_LONGEST_LIST = 20_000


def is_missing(cell: object) -> bool:
    """Whether a cell holds nothing: empty, NaN, or one of the usual spellings of missing."""
    if isinstance(cell, str):
        return cell.strip() in MISSING
    return cell is None or (isinstance(cell, float) and math.isnan(cell))


def listed(text: str) -> list[str] | None:
    """The texts of a list written in a cell, as JSON or as Python prints it; None for anything else."""
    stripped = text.strip()
    if len(stripped) > _LONGEST_LIST or _LISTS.get(stripped[:1]) != stripped[-1:]:
        return None
    try:
        found = json.loads(stripped)
    except (ValueError, RecursionError):
        found = _literal(stripped)
    if not isinstance(found, (list, tuple)) or not found:
        return None
    texts = [entry for entry in found if not is_missing(entry)]
    return texts if all(isinstance(entry, str) for entry in texts) else None


def typed(cells: Sequence[object]) -> list[object]:
    """A column of texts with one type: whole numbers, numbers or truth values if all its cells are, else text."""
    texts = [None if is_missing(cell) else str(cell).strip() for cell in cells]
    filled = [text for text in texts if text]
    convert: Callable[[str], object] = str
    if filled and all(_INTEGER.match(text) for text in filled):
        convert = int
    elif filled and all(_FLOAT.match(text) and math.isfinite(float(text)) for text in filled):
        convert = float
    elif filled and all(text.lower() in _BOOLEANS for text in filled):
        convert = _boolean
    return [convert(text) if text else None for text in texts]


class Cells:
    """Cells as they are kept. A text that stands in thousands of rows is looked at once."""

    def __init__(self, problems: Problems, limits: Limits) -> None:
        self.problems = problems
        self.limits = limits
        self.known: dict[str, str | None] = {}

    def text(self, raw: str, what: str, place: str) -> str:
        """A text without what cannot be printed; empty, with a note of the problem, if it is too long."""
        if raw not in self.known:
            # Its length is looked at before anything that takes longer for a longer text.
            short = raw if len(raw) <= self.limits.text_characters else raw.strip()
            self.known[raw] = printable(short) if len(short) <= self.limits.text_characters else None
        clean = self.known[raw]
        if clean is None:
            self.problems.add(f"has {what} of more than {self.limits.text_characters:,} characters, left out", place)
        return clean or ""

    def captions(self, cells: Sequence[object], place: str) -> tuple[str, ...]:
        """The captions of a row, each once; a cell may hold several as a list."""
        captions: dict[str, None] = {}
        for cell in cells:
            for value in _parts(cell):
                if not is_missing(value) and (text := self.text(str(value), "captions", place)):
                    captions[text] = None
        return tuple(captions)

    def value(self, cell: object, place: str) -> Value:
        """A metadata cell as a value that JSON can hold; the texts of a list are joined by semicolons."""
        if is_missing(cell):
            return None
        if isinstance(cell, (bool, int)):
            return cell
        if isinstance(cell, float):
            return cell if math.isfinite(cell) else str(cell)
        parts = _parts(cell)
        whole = str(cell) if parts == [cell] else "; ".join(str(part) for part in parts if not is_missing(part))
        return self.text(whole, "cells", place) or None


def _parts(cell: object) -> list[object]:
    if isinstance(cell, list):
        return cell
    several = listed(cell) if isinstance(cell, str) else None
    return [cell] if several is None else [*several]


def _literal(text: str) -> object:
    """A list of texts as Python prints it. Texts that only stand side by side (as NumPy prints them) stay apart."""
    try:
        found = ast.literal_eval(text)
        strings = [
            ast.literal_eval(token.string)
            for token in tokenize.generate_tokens(io.StringIO(text).readline)
            if token.type == tokenize.STRING
        ]
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError, tokenize.TokenError):
        return None
    plain = isinstance(found, (list, tuple)) and all(isinstance(entry, str) for entry in found)
    return strings if plain else found


def _boolean(text: str) -> bool:
    return _BOOLEANS[text.lower()]
