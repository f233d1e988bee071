"""How the texts of a card are filled: numbers as reports print them, and no sentence that only states an absence."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from numbers import Real
from string import Formatter
from typing import Any

# What Python writes of a number that is very small or large: no report prints it so.
_EXPONENT = re.compile(r"(?<![\w.])(\d(?:\.\d+)?)e([+-])0*(\d+)(?!\w)")
_TINY_P = re.compile(r"\bp = (?:0\.0000\d+|[\d.]+ × 10\^\u2212\d+)")
# Up to this power of ten a number is written out.
_WRITTEN_OUT = 7
_PERCENT = re.compile(r"(?<=\d)%")
# No line may end inside a value: a number stays with its unit, a sign of relation with its number, an interval whole.
NO_BREAK = "\u00a0"
_UNIT = re.compile(r"(?<=\d) (?=(?:%|°|[kMG]?B|px|ms|s|min|h|nats|bits|pixels|cells)(?!\w))")
_BETWEEN = re.compile(r"(?<=\d) ([×±]) (?=[\u2212-]?[.\d])")
_NAMED = re.compile(r"(?<!\w)(\w²?) (?=[=<>≤≥] [\u2212-]?[.\d])")
_RELATION = re.compile(r"(?<=[=<>≤≥]) (?=[\u2212-]?[.\d])")
_INTERVAL = re.compile(r"\[(?:[<>] )?[\u2212-]?[.\d][^\[\]]{0,40}\]")
_MINUS = re.compile(r"(?<![\w.\u2212-])-(?=\.?\d)")
# What rounds to 0 has no sign.
_NO_ZERO = re.compile(r"\u2212(?=0(?:\.0+)?(?![.\d]*\d))")
# A sentence up to ": none.", and a clause between semicolons likewise; a point between digits ends neither.
_INSIDE = r"(?:[^.:;]|\.(?=\d))*"
_EMPTY = re.compile(rf"(?:^|(?<=\.)\s+){_INSIDE}: none\.")
_EMPTY_CLAUSE = re.compile(rf";{_INSIDE}: none(?=[.;])")


class _Numbers(Formatter):
    def format_field(self, value: Any, format_spec: str) -> str:
        text = str(super().format_field(value, format_spec))
        return typeset(text) if isinstance(value, Real) else text


_NUMBERS = _Numbers()


def filled(template: str, values: Mapping[str, Any]) -> str:
    """The template with its names in braces filled; numbers have a true minus sign and a space before "%".

    Texts are inserted as they are. Raises `KeyError` for a name without a value.
    """
    return _TINY_P.sub("p < 0.0001", _NUMBERS.vformat(template, (), values))


def in_words(parts: Sequence[str], last: str = "and") -> str:
    """The parts as a list in a sentence, `a, b and c`; empty without a part."""
    return f" {last} ".join((", ".join(parts[:-1]), parts[-1])) if len(parts) > 1 else "".join(parts)


def typeset(text: str) -> str:
    """Numbers in a text as reports print them: a true minus sign but none before 0, a space before "%", and no "e"."""
    return _NO_ZERO.sub("", _MINUS.sub("\u2212", _PERCENT.sub(" %", _EXPONENT.sub(_powered, text))))


def _powered(found: re.Match[str]) -> str:
    """`1.38e+03` as 1,380 and `6.65e-05` as 0.0000665; beyond that the power of ten."""
    digits, power = found[1], int(f"{found[2]}{found[3]}")
    if abs(power) > _WRITTEN_OUT:
        return f"{digits} \u00d7 10^{power}"
    return f"{Decimal(digits).scaleb(power):,f}"


def unbroken(text: str) -> str:
    """The text with no-break spaces between a number and its unit, around signs and inside intervals, for a page."""
    text = _INTERVAL.sub(lambda interval: interval.group().replace(" ", NO_BREAK), _UNIT.sub(NO_BREAK, text))
    text = _BETWEEN.sub(rf"{NO_BREAK}\1{NO_BREAK}", text)
    return _RELATION.sub(NO_BREAK, _NAMED.sub(rf"\1{NO_BREAK}", text))


def without_empty(text: str) -> str:
    """The text without sentences and clauses like "Undecided: none"; all of it where nothing else would remain."""
    return _EMPTY.sub("", _EMPTY_CLAUSE.sub("", text)).strip() or text
