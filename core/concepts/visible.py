"""Names for what images show: common visual concepts, and the words of a text that name something visible. No torch."""

from __future__ import annotations

from functools import lru_cache

from core.concepts.vocabulary import VISIBLE, VISIBLE_STUFF
from core.concepts.wordnet import wordnet
from core.errors import InputError
from core.settings import ROOT

COMMON = ROOT / "core" / "concepts" / "data" / "common.txt"
# WordNet's lexicographer files of locations hold words such as "top" and "front", which name no content.
_FILES = frozenset(VISIBLE.values()) | frozenset(VISIBLE_STUFF.values())


def common_names() -> list[str]:
    """What regions of photographs often show, in plain words, in the order of our list."""
    lines = (line.strip() for line in COMMON.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


@lru_cache(maxsize=16_384)
def visible_noun(word: str) -> str | None:
    """The base form of a word whose most frequent noun sense names something visible; None for any other word.

    A word is taken as it is if WordNet cannot be read.
    """
    try:
        reader = wordnet()
        base = reader.morphy(word.lower(), "n")
        senses = reader.synsets(base, "n") if base else []
    except InputError:
        return word.lower()
    if not senses or senses[0].lexname().removeprefix("noun.") not in _FILES:
        return None
    return str(base)
