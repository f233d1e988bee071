"""Numbers and dates as a language writes them: decimal and group signs, the percent sign, the names of months."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from babel import Locale
from babel.dates import format_date
from babel.numbers import get_decimal_symbol, get_group_symbol

from core.languages.catalogue import SOURCE
from core.languages.voice import language

# Between a number and "%" where a language separates them.
NARROW = "\u202f"
_SIGNS = re.compile(r"(?<=\d)[.,](?=\d)|(?<![\w.,])\.(?=\d)")
_ANY_PERCENT = re.compile(r"(?<=\d)[ \u00a0]?%")
# What Python writes of a number that is very small or large: no report prints it so.
_EXPONENT = re.compile(r"(?<![\w.])(\d(?:\.\d+)?)e([+-])0*(\d+)(?!\w)")
# Up to this power of ten a number is written out.
_WRITTEN_OUT = 7
_PERCENT = re.compile(r"(?<=\d)%")
_MINUS = re.compile(r"(?<![\w.\u2212-])-(?=\.?\d)")
# What rounds to 0 has no sign.
_NO_ZERO = re.compile(r"\u2212(?=0(?:[.,]0+)?(?![.,\d]*\d))")


def typeset(text: str) -> str:
    """Numbers in a text as reports print them: a true minus sign but none before 0, a space before "%", and no "e"."""
    return _NO_ZERO.sub("", _MINUS.sub("\u2212", _PERCENT.sub(" %", _EXPONENT.sub(_powered, text))))


def _powered(found: re.Match[str]) -> str:
    """`1.38e+03` as 1,380 and `6.65e-05` as 0.0000665; beyond that the power of ten."""
    digits, power = found[1], int(f"{found[2]}{found[3]}")
    if abs(power) > _WRITTEN_OUT:
        return f"{digits} \u00d7 10^{power}"
    return f"{Decimal(digits).scaleb(power):,f}"


def localised(text: str) -> str:
    """A number that Python wrote, with the signs of the current language; in English it stays as it is."""
    code = language()
    if code == SOURCE:
        return text
    decimal, group, spaced = _symbols(code)
    text = _SIGNS.sub(lambda found: decimal if found[0] == "." else group, text)
    return _ANY_PERCENT.sub(f"{NARROW}%", text) if spaced else text


def day(moment: date) -> str:
    """A date: `2026-11-30`, or as the current language writes it out: `30. November 2026`."""
    code = language()
    return moment.strftime("%Y-%m-%d") if code == SOURCE else str(format_date(moment, "long", locale=code))


def minute(moment: datetime) -> str:
    """A time in UTC: `2026-11-30 19:40 UTC`, in other languages with the date written out."""
    code = language()
    return moment.strftime("%Y-%m-%d %H:%M UTC") if code == SOURCE else f"{day(moment)}, {moment:%H:%M} UTC"


def named(code: str, english: str) -> str:
    """The name of the language `code` in the current language; in English, and where none is known, `english`."""
    current = language()
    if current == SOURCE:
        return english
    return str(Locale.parse(current).languages.get(code) or english)


def number_format() -> dict[str, Any]:
    """How a chart writes numbers in the current language, as d3 asks for it: with the percent sign of the texts."""
    decimal, thousands, spaced = (".", ",", True) if language() == SOURCE else _symbols(language())
    narrow = " " if language() == SOURCE else NARROW
    percent = f"{narrow}%" if spaced else "%"
    return {"decimal": decimal, "thousands": thousands, "grouping": [3], "currency": ["", ""], "percent": percent}


@lru_cache
def _symbols(code: str) -> tuple[str, str, bool]:
    """The decimal sign, the sign between groups, and whether a space stands before "%"."""
    locale = Locale.parse(code)
    pattern = str(locale.percent_formats[None].pattern)
    spaced = pattern.endswith(("\u00a0%", "\u202f%", " %"))
    return get_decimal_symbol(locale), get_group_symbol(locale), spaced
