"""The functions that translate a template and fill it with values."""

from __future__ import annotations

from numbers import Real
from string import Formatter
from typing import Any

from core.languages.catalogue import COUNT, DATIVE, SOURCE
from core.languages.numbers import localised, typeset
from core.languages.voice import voice


class _Filled(Formatter):
    """Python's formatting, with numbers as the current language writes them."""

    def format_field(self, value: Any, format_spec: str) -> str:
        text = str(super().format_field(value, format_spec))
        return text if voice().language == SOURCE or not isinstance(value, Real) else localised(typeset(text))


_FILLED = _Filled()


class Counted(str):
    """A number with its noun, in the nominative; `{name:dative}` in a template gives the dative."""

    dative: str

    def __format__(self, specification: str) -> str:
        return self.dative if specification == "dative" else super().__format__(specification)


def say(english: str, /, **values: Any) -> str:
    """The message for an English text in the current language, its names in braces filled with `values`.

    Numbers are written as the language writes them, texts as they are. Without values braces are left alone. Raises
    `KeyError` for a name without a value.
    """
    told = voice().message(english)
    return _FILLED.vformat(told, (), values) if values else told


def say_count(count: int, one: str, many: str) -> str:
    """A number with its noun: `1 image`, `2 images`."""
    catalogue = voice().catalogue
    plain = _FILLED.vformat("{count:,} {noun}", (), {"count": count, "noun": one if count == 1 else many})
    if catalogue.language == SOURCE:
        return plain
    forms = {}
    for context in (COUNT, DATIVE):
        nouns = catalogue.counted.get((context, one)) or catalogue.counted.get((COUNT, one))
        noun = nouns[catalogue.form(count)] if nouns else plain
        forms[context] = _FILLED.vformat("{count:,} {noun}", (), {"count": count, "noun": noun}) if nouns else plain
    told = Counted(forms[COUNT])
    told.dative = forms[DATIVE]
    return told
