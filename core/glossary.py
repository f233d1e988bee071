"""The terms of Loupe in one place: the report's glossary, the app's help and `docs/glossary.md` read them. No torch.

An entry is English; a report in another language finds and sorts its entries by their terms in that language.

`python -m core.glossary` writes the page `docs/glossary.md` again; a test fails when it is out of date.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache

from core.settings import ROOT
from core.terms import ENTRIES, Entry

PAGE = ROOT / "docs" / "glossary.md"
GLOSSARY: dict[str, Entry] = {entry.term: entry for entry in sorted(ENTRIES, key=lambda entry: entry.term.casefold())}

# What an adjective or a noun of another language may end with, and what stands before a letter with a sign.
_ENDING = re.compile(r"(?:e[mnrs]?|[ns])$")
_SIGNED = str.maketrans("\u00e4\u00f6\u00fc\u00df", "aous")
_HEADINGS = {name.casefold(): entry.definition for entry in GLOSSARY.values() for name in (entry.term, *entry.headings)}


def definition(term: str) -> str:
    """The definition of a term, for a tooltip. Raises `KeyError` for a term that is not in the glossary."""
    return GLOSSARY[term].definition


def used(texts: Iterable[str], told: Callable[[str], str] = str, *, inflected: bool = False) -> tuple[Entry, ...]:
    """The entries that the texts use, by their term or a short form, and those that these definitions use in turn.

    told: the message for an English text in the language of a report, by whose terms the entries are found and sorted.
    inflected: whether words of that language have other endings than in English, and are compounded.
    """
    form = _inflected if inflected else _english
    names = {
        term: _pattern(tuple(form(told(name).casefold()) for name in (entry.term, *entry.headings)))
        for term, entry in GLOSSARY.items()
    }
    read = "\n".join(told(text) for text in texts).casefold()
    entries: dict[str, Entry] = {}
    while more := [entry for term, entry in GLOSSARY.items() if term not in entries and names[term].search(read)]:
        entries |= {entry.term: entry for entry in more}
        read = "\n".join(told(entry.definition) for entry in more).casefold()
    found = (entry for term, entry in GLOSSARY.items() if term in entries)
    return tuple(sorted(found, key=lambda entry: told(entry.term).casefold().translate(_SIGNED)))


@lru_cache(maxsize=2**10)
def _pattern(forms: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{'|'.join(forms)})(?!\w)")


def _english(name: str) -> str:
    """A name, also in the plural."""
    return f"{re.escape(name)}(?:s|es)?"


def _inflected(name: str) -> str:
    """A name, each of its words with any ending of an adjective or a noun, and with what is compounded to it."""
    return r"\s+".join(rf"{re.escape(_ENDING.sub('', word) if len(word) > 4 else word)}\w*" for word in name.split())


def help_of(heading: str) -> str:
    """The definition of the term that a heading of a table names, also in the plural; empty if it names none."""
    name = heading.removesuffix(", 95 % interval").casefold()
    return _HEADINGS.get(name) or _HEADINGS.get(name.removesuffix("s"), "")


def page() -> str:
    """The Markdown page `docs/glossary.md`."""
    lines = ["# Glossary", "", "Generated from `core/terms.toml` by `python -m core.glossary`.", ""]
    for entry in GLOSSARY.values():
        see = f" See also: {', '.join(term[:1].lower() + term[1:] if _common(term) else term for term in entry.see)}."
        lines += [f"**{entry.term}.** {entry.definition}{see if entry.see else ''}", ""]
    return "\n".join(lines)


def _common(term: str) -> bool:
    """Whether a term is written in lower case within a sentence."""
    return term not in {"R²", "Holm's method", "Jaccard index", "KernelSHAP", "Shapley value", "Storey's estimate"}


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
