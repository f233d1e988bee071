"""A catalogue of messages in gettext's format, read as text: no compiled file has to be kept in step with it."""

from __future__ import annotations

import gettext
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from string import Formatter

from babel import Locale, UnknownLocaleError
from babel.messages.plurals import get_plural
from babel.messages.pofile import PoFileError, read_po

from core.settings import ROOT

# The language that the sources are written in.
SOURCE = "en"
FOLDER = ROOT / "core" / "locale"
FILE = Path("LC_MESSAGES") / "loupe.po"
# The context of nouns that are counted, and of the same in the dative, which German sentences need.
COUNT, DATIVE = "count", "count, dative"
# What may follow the colon of a placeholder: how Python writes a number, or the case of a counted noun.
_SPECIFICATION = re.compile(r"[-+ z]{0,2}0?\d?,?(?:\.\d)?[a-zA-Z%]?|dative")
# The placeholders of templates, which Jinja fills.
_PERCENT_NAME = re.compile(r"%\((\w+)\)s")
_CODE = re.compile(r"[a-z]{2,3}(?:_[A-Z]{2})?")


@dataclass(frozen=True)
class Catalogue:
    """The messages of one language.

    messages: a translation by its English text. counted: the forms of a noun by its context and its English singular.
    """

    language: str
    messages: Mapping[str, str] = field(default_factory=dict)
    counted: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)

    def form(self, count: int) -> int:
        """Which of the forms of a noun goes with a number."""
        return _forms(self.language)(count)


def offered() -> tuple[str, ...]:
    """The languages that come with the product, English first."""
    return (SOURCE, *sorted(path.name for path in FOLDER.iterdir() if (path / FILE).is_file()))


@cache
def load_catalogue(language: str) -> Catalogue:
    """A catalogue that comes with the product. Raises `ValueError` in one line where there is none."""
    if language == SOURCE:
        return Catalogue(SOURCE)
    if language not in offered():
        raise ValueError(f"there is no catalogue of {language!r}; there are {', '.join(offered())}")
    return read_catalogue((FOLDER / language / FILE).read_bytes(), language)


def read_catalogue(data: bytes, language: str) -> Catalogue:
    """The translated messages of a file. Raises `ValueError` in one line for a file or a language that is none."""
    if not _CODE.fullmatch(language) or not _known(language):
        raise ValueError(f"{language[:40]!r} is not the code of a language, such as de or pt_BR")
    try:
        found = read_po(io.BytesIO(data), locale=language, charset="utf-8", abort_invalid=True)
    except (PoFileError, ValueError, UnicodeDecodeError, LookupError) as error:
        raise ValueError(f"is not a catalogue in gettext's format: {error}") from error
    messages: dict[str, str] = {}
    counted: dict[tuple[str, str], tuple[str, ...]] = {}
    for message in found:
        if not message.id or message.fuzzy:
            continue
        if isinstance(message.id, str):
            if message.string:
                messages[message.id] = str(message.string)
        elif isinstance(message.string, tuple | list) and all(message.string):
            counted[str(message.context or COUNT), message.id[0]] = tuple(message.string)
    return Catalogue(language, messages, counted)


@cache
def known() -> frozenset[str]:
    """Every text of this version that may be translated or worded otherwise, from the template of catalogues."""
    found = read_po(io.BytesIO((FOLDER / "loupe.pot").read_bytes()))
    return frozenset(message.id for message in found if message.id and isinstance(message.id, str))


def fault(english: str, told: str) -> str:
    """What forbids a translation, in one line; empty where it can be used.

    It has the placeholders of the English text and no others, and asks nothing of them but how to write a number.
    """
    wanted = names(english)
    try:
        fields = [(name, specification, turn) for _, name, specification, turn in Formatter().parse(told)]
    except ValueError as error:
        return f"has a brace that opens or closes nothing ({error})"
    for name, specification, turn in fields:
        if name is None:
            continue
        if name not in wanted:
            return f"names {{{name}}}, which the English text lacks"
        if turn or not _SPECIFICATION.fullmatch(specification or ""):
            return f"asks for {{{name}}} in a form that is not accepted"
    if _PERCENT_NAME.findall(english) and sorted(_PERCENT_NAME.findall(english)) != sorted(_PERCENT_NAME.findall(told)):
        return f"must have the placeholders {', '.join(f'%({name})s' for name in _PERCENT_NAME.findall(english))}"
    if not _PERCENT_NAME.findall(english) and "%(" in told:
        return "has a placeholder with %, which the English text lacks"
    lost = wanted - {name for name, _, _ in fields if name is not None}
    return f"lacks {{{min(lost)}}}" if lost else ""


def names(template: str) -> frozenset[str]:
    """The placeholders of a template; none for a text that is no template."""
    try:
        return frozenset(name for _, name, _, _ in Formatter().parse(template) if name is not None)
    except ValueError:
        return frozenset()


def faults(catalogue: Catalogue, known: Iterable[str]) -> list[str]:
    """What is wrong with a catalogue, one line each: a message that the product does not print, or as `fault` says."""
    messages = set(known)
    found = []
    for english, told in catalogue.messages.items():
        why = fault(english, told) if english in messages else "is not a text of this version"
        if why:
            found.append(f"the message {english[:60]!r} {why}")
    return found


@cache
def _known(language: str) -> bool:
    try:
        Locale.parse(language)
    except (UnknownLocaleError, ValueError):
        return False
    return True


@cache
def _forms(language: str):  # type: ignore[no-untyped-def]
    return gettext.c2py(get_plural(language).plural_expr)
