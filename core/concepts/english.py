"""Which words of an English text may show something, and which only say how others go together. No torch."""

from __future__ import annotations

import re

# Words of closed classes of English: articles, pronouns, prepositions, conjunctions, auxiliaries.
_CLOSED = """a an the this that these those some any each every no all both few many much more most several such one
    i you he she it we they me him her us them my your his its our their mine yours who whom whose which what
    and or but nor so yet if while as than because although though when where how
    of in on at by for with to from into onto over under above below between among through across along around about
    against behind beside besides near next inside outside within without up down off out toward towards upon during
    before after is are was were be been being am has have had do does did can could will would shall should may might
    must not there here 's"""
FUNCTION_WORDS = frozenset(_CLOSED.split())
WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")
# What a template says of the image rather than of what it shows.
FRAMES = frozenset({"photo", "picture", "image", "photograph", "close-up", "drawing", "view", "scene"})


def is_function(word: str) -> bool:
    """Whether a word (or a sign) belongs to a closed class: it says how others go together and shows nothing."""
    bare = word.strip().lower()
    return bare in FUNCTION_WORDS or not any(letter.isalnum() for letter in bare)


def content_words(text: str) -> list[str]:
    """The words of a text that may show something, lower case, each once, in order."""
    found = [word.lower() for word in WORD.findall(text)]
    return list(dict.fromkeys(word for word in found if not is_function(word)))
