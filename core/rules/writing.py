"""How the texts of a card are filled: numbers as reports print them, and no sentence that only states an absence."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from numbers import Real
from string import Formatter
from typing import Any

from core.languages import localised, say, typeset, voice

_TINY_P = re.compile(r"\bp = (?:0[.,]0000\d+|[\d.,]+ × 10\^\u2212\d+)")
# No line may end inside a value: a number stays with its unit, a sign of relation with its number, an interval whole.
NO_BREAK = "\u00a0"
_UNIT = re.compile(r"(?<=\d) (?=(?:%|°|[kMG]?B|px|ms|s|min|h|nats|bits|pixels|cells)(?!\w))")
_BETWEEN = re.compile(r"(?<=\d) ([×±]) (?=[\u2212-]?[.\d])")
_NAMED = re.compile(r"(?<!\w)(\w²?) (?=[=<>≤≥] [\u2212-]?[.\d])")
_RELATION = re.compile(r"(?<=[=<>≤≥]) (?=[\u2212-]?[.\d])")
_INTERVAL = re.compile(r"\[(?:[<>] )?[\u2212-]?[.\d][^\[\]]{0,40}\]")
# A sentence up to ": none.", and a clause between semicolons likewise; a point between digits ends neither.
_INSIDE = r"(?:[^.:;]|\.(?=\d))*"
# What joins the last two parts of a list, and what stands where a list is empty.
JOINED = ("and", "or")  # messages
NONE = "none"  # messages


class _Numbers(Formatter):
    def format_field(self, value: Any, format_spec: str) -> str:
        text = str(super().format_field(value, format_spec))
        return localised(typeset(text)) if isinstance(value, Real) else text


_NUMBERS = _Numbers()


def filled(template: str, values: Mapping[str, Any]) -> str:
    """The template in the current language with its names in braces filled.

    Numbers have a true minus sign and a space before "%", texts are inserted as they are. Raises `KeyError` for a
    name without a value.
    """
    told = _NUMBERS.vformat(voice().message(template), (), values)
    return _TINY_P.sub(localised("p < 0.0001"), told)


def in_words(parts: Sequence[str], last: str = "and") -> str:
    """The parts as a list in a sentence, `a, b and c`; empty without a part."""
    return f" {say(last)} ".join((", ".join(parts[:-1]), parts[-1])) if len(parts) > 1 else "".join(parts)


def unbroken(text: str) -> str:
    """The text with no-break spaces between a number and its unit, around signs and inside intervals, for a page."""
    text = _INTERVAL.sub(lambda interval: interval.group().replace(" ", NO_BREAK), _UNIT.sub(NO_BREAK, text))
    text = _BETWEEN.sub(rf"{NO_BREAK}\1{NO_BREAK}", text)
    return _RELATION.sub(NO_BREAK, _NAMED.sub(rf"\1{NO_BREAK}", text))


def without_empty(text: str) -> str:
    """The text without sentences and clauses like "Undecided: none"; all of it where nothing else would remain."""
    sentence, clause = _empty(say(NONE))
    return sentence.sub("", clause.sub("", text)).strip() or text


@cache
def _empty(none: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """What finds a sentence, and a clause, that only states that there is none."""
    word = re.escape(none)
    return (
        re.compile(rf"(?:^|(?<=\.)\s+){_INSIDE}: {word}\."),
        re.compile(rf";{_INSIDE}: {word}(?=[.;])"),
    )
