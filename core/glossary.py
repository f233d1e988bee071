"""The terms of Loupe in one place: the report's glossary, the app's help and `docs/glossary.md` read them. No torch.

`python -m core.glossary` writes the page `docs/glossary.md` again; a test fails when it is out of date.
"""

from __future__ import annotations

from core.settings import ROOT
from core.terms import ENTRIES, Entry

PAGE = ROOT / "docs" / "glossary.md"
GLOSSARY: dict[str, Entry] = {entry.term: entry for entry in sorted(ENTRIES, key=lambda entry: entry.term.casefold())}

_HEADINGS = {name.casefold(): entry.definition for entry in GLOSSARY.values() for name in (entry.term, *entry.headings)}


def definition(term: str) -> str:
    """The definition of a term, for a tooltip. Raises `KeyError` for a term that is not in the glossary."""
    return GLOSSARY[term].definition


def help_of(heading: str) -> str:
    """The definition of the term that a heading of a table names, also in the plural; empty if it names none."""
    name = heading.removesuffix(", 95 % interval").casefold()
    return _HEADINGS.get(name) or _HEADINGS.get(name.removesuffix("s"), "")


def page() -> str:
    """The Markdown page `docs/glossary.md`."""
    lines = ["# Glossary", "", "Generated from `core/terms.py` by `python -m core.glossary`.", ""]
    for entry in GLOSSARY.values():
        see = f" See also: {', '.join(term[:1].lower() + term[1:] if _common(term) else term for term in entry.see)}."
        lines += [f"**{entry.term}.** {entry.definition}{see if entry.see else ''}", ""]
    return "\n".join(lines)


def _common(term: str) -> bool:
    """Whether a term is written in lower case within a sentence."""
    return term not in {"R²", "Holm's method", "Shapley value"}


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
