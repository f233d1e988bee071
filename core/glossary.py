"""The terms of Loupe in one place: the report's glossary, the app's help and `docs/glossary.md` read them. No torch.

`python -m core.glossary` writes the page `docs/glossary.md` again; a test fails when it is out of date.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from core.settings import ROOT
from core.terms import ENTRIES, Entry

PAGE = ROOT / "docs" / "glossary.md"
GLOSSARY: dict[str, Entry] = {entry.term: entry for entry in sorted(ENTRIES, key=lambda entry: entry.term.casefold())}

_NAMES = {
    term: re.compile(
        rf"(?<!\w)(?:{'|'.join(re.escape(name.casefold()) for name in (entry.term, *entry.headings))})(?:s|es)?(?!\w)"
    )
    for term, entry in GLOSSARY.items()
}
_HEADINGS = {name.casefold(): entry.definition for entry in GLOSSARY.values() for name in (entry.term, *entry.headings)}


def definition(term: str) -> str:
    """The definition of a term, for a tooltip. Raises `KeyError` for a term that is not in the glossary."""
    return GLOSSARY[term].definition


def used(texts: Iterable[str]) -> tuple[Entry, ...]:
    """The entries that the texts use, by their term or a short form, and those that these definitions use in turn."""
    read = "\n".join(texts).casefold()
    entries: dict[str, Entry] = {}
    while more := [entry for term, entry in GLOSSARY.items() if term not in entries and _NAMES[term].search(read)]:
        entries |= {entry.term: entry for entry in more}
        read = "\n".join(entry.definition for entry in more).casefold()
    return tuple(entry for term, entry in GLOSSARY.items() if term in entries)


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
