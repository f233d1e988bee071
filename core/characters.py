"""Which characters of a stranger's text may be stored, printed and rendered. Every text from outside passes here."""

from __future__ import annotations

import re
from typing import Any

# What neither JSON, XML nor PDF can hold, or what is no character at all: lone surrogates and non-characters.
_NONE = "\ud800-\udfff\ufdd0-\ufdef" + "".join(
    chr(0x10000 * plane + last) for plane in range(17) for last in (0xFFFE, 0xFFFF)
)
# Marks that turn the direction of writing (they disguise endings), that annotate between lines, or order bytes.
_MARKS = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f\ufeff\ufff9-\ufffb"
_CONTROLS = "\x00-\x1f\x7f-\x9f"
_SEPARATORS = "\u2028\u2029"
_UNPRINTABLE = re.compile(f"[{_CONTROLS}{_SEPARATORS}{_MARKS}{_NONE}]")
# The same but for tabs and line breaks, which text of several lines needs.
_ILLEGIBLE = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f{_SEPARATORS}{_MARKS}{_NONE}]")


def printable(text: str) -> str:
    """`text` in one line: control characters, direction marks and non-characters become blanks, ends are trimmed."""
    return _UNPRINTABLE.sub(" ", text).strip()


def legible(text: str) -> str:
    """`text` with the same characters as blanks, but with its tabs and line breaks."""
    return _ILLEGIBLE.sub(" ", text)


def harmless(text: str, instead: str) -> str:
    """`text` with `instead` for each of those characters, tabs and line breaks included."""
    return _UNPRINTABLE.sub(instead, text)


def brief(text: str, most: int = 200) -> str:
    """`text` in one line of at most `most` characters, for messages."""
    # What is far too long is cut before it is searched as well.
    line = printable(text[: 2 * most])
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def folded(text: str) -> str:
    """`text` as it is compared with others: without case and repeated blanks."""
    return " ".join(text.casefold().split())


def legible_values(value: Any) -> Any:
    """Plain JSON values whose texts, keys included, are all legible."""
    if isinstance(value, str):
        return legible(value)
    if isinstance(value, dict):
        return {legible_values(name): legible_values(part) for name, part in value.items()}
    return [legible_values(part) for part in value] if isinstance(value, (list, tuple)) else value


def line_of(value: Any) -> Any:
    """`printable` for a text and for each text of a list, anything else as it is: for fields that hold lines."""
    if isinstance(value, str):
        return printable(value)
    return type(value)(line_of(part) for part in value) if isinstance(value, (list, tuple)) else value
