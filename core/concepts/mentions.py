"""Which classes of a list a caption names: by the class's own words, by synonyms, and by narrower words of WordNet.

No torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Literal

from core.characters import folded
from core.concepts.english import WORD, content_words, is_function
from core.concepts.graph import ROOT_CONCEPT
from core.concepts.vocabulary import VISIBLE
from core.concepts.wordnet import wordnet

# The longest expression of a caption that is looked up, in words.
LONGEST = 4
# How a caption relates to one class: it names it, names something broader, names other classes only, or names none.
Relation = Literal["named", "broader", "other", "none"]
# Senses of a word that count, the most frequent first: "bike" is a motorcycle and a bicycle, "can" seldom a toilet.
_SENSES = 2
# Qualities that are also nouns (a white, a black, the light): they describe what follows and name nothing themselves.
_QUALITIES = frozenset(
    [
        "white",
        "black",
        "red",
        "green",
        "blue",
        "yellow",
        "brown",
        "pink",
        "purple",
        "grey",
        "gray",
        "violet",
        "tan",
        "coloured",
        "colored",
        "dark",
        "light",
        "bright",
        "young",
        "old",
        "adult",
        "male",
        "female",
        "public",
        "private",
        "plain",
        "flat",
        "blank",
        "contemporary",
        "modern",
        "antique",
        "professional",
        "domestic",
        "natural",
        "individual",
        "native",
        "local",
        "wild",
        "chinese",
        "japanese",
    ]
)
# Colours that are also things; they are skipped only where another word follows that names a class or goes with "and".
_COLOURS = frozenset({"orange", "gold", "silver", "rose", "olive", "plum", "peach", "lemon", "chestnut"})
_VISIBLE = frozenset(VISIBLE.values()) - {"person"}
# Concepts so broad that a word for one of them agrees with nearly every class.
_LEAST_DEPTH = 5


@dataclass(frozen=True)
class Mentions:
    """What one caption says about a list of classes, by their positions.

    named: it has a word for the class or for something narrower; broader: for something that includes the class.
    """

    named: frozenset[int]
    broader: frozenset[int]

    def relation(self, position: int, kin: frozenset[int] = frozenset()) -> Relation:
        """How the caption relates to the class at `position`; `kin` are the classes that include it."""
        if position in self.named:
            return "named"
        if position in self.broader or self.named & kin:
            return "broader"
        return "other" if self.named else "none"


@dataclass(frozen=True)
class ClassNames:
    """The names of classes, ready to be looked for in captions."""

    names: tuple[str, ...]

    def mentions(self, caption: str) -> Mentions:
        """The classes that a caption names."""
        words = [_plain(word) for word in WORD.findall(caption)]
        named: set[int] = set()
        broader: set[int] = set()
        at = 0
        while at < len(words):
            length = next((k for k in range(min(LONGEST, len(words) - at), 0, -1) if self._known(words, at, k)), 1)
            expression = " ".join(words[at : at + length])
            at += length
            if expression not in self._exact and (expression in _QUALITIES or is_function(expression)):
                continue
            if expression in _COLOURS and at < len(words) and (words[at] == "and" or not is_function(words[at])):
                continue
            own, above = self._of(expression)
            named |= own
            broader |= above
        present = set(content_words(caption)) | {_singular(word) for word in words}
        for position, synset in enumerate(self.synsets):
            if synset is None and self._parts[position] and self._parts[position] <= present:
                named.add(position)
        return Mentions(frozenset(named), frozenset(broader - named))

    def kin(self, position: int) -> frozenset[int]:
        """The other classes of the list that include the class at `position`."""
        own = self.synsets[position]
        if own is None:
            return frozenset()
        above = _closure(own)
        return frozenset(at for at, synset in enumerate(self.synsets) if at != position and synset in above)

    @cached_property
    def synsets(self) -> tuple[str | None, ...]:
        """The synset of each class; None where WordNet does not have its name."""
        return tuple(_thing(_plain(name)) for name in self.names)

    @cached_property
    def _exact(self) -> dict[str, frozenset[int]]:
        found: dict[str, set[int]] = {}
        for position, name in enumerate(self.names):
            found.setdefault(_plain(name), set()).add(position)
            found.setdefault(_singular(_plain(name)), set()).add(position)
        return {name: frozenset(positions) for name, positions in found.items()}

    @cached_property
    def _parts(self) -> tuple[frozenset[str], ...]:
        return tuple(frozenset(_singular(word) for word in content_words(_plain(name))) for name in self.names)

    def _of(self, expression: str) -> tuple[frozenset[int], frozenset[int]]:
        """The classes that an expression names, and those for which it is a broader word; worked out once."""
        if expression not in self._known_expressions:
            self._known_expressions[expression] = self._looked_up(expression)
        return self._known_expressions[expression]

    @cached_property
    def _known_expressions(self) -> dict[str, tuple[frozenset[int], frozenset[int]]]:
        return {}

    def _looked_up(self, expression: str) -> tuple[frozenset[int], frozenset[int]]:
        exact = self._exact.get(expression, frozenset())
        named, broader = set(exact), set()
        # What the list calls by this word decides its sense: a hot dog is food, and to WordNet first a daredevil.
        own = [synset for synset in (self.synsets[position] for position in exact) if synset is not None]
        above = frozenset().union(*map(_closure, own)) if exact else _above(expression)
        for position, synset in enumerate(self.synsets):
            if synset is None:
                continue
            if synset in above or (not exact and synset in _frequent(expression)):
                named.add(position)
            elif (first := self._sense(expression, exact)) is not None and first in _broader_of(synset):
                broader.add(position)
        return frozenset(named), frozenset(broader)

    def _sense(self, expression: str, exact: frozenset[int]) -> str | None:
        return next((self.synsets[position] for position in exact), None) if exact else _first(expression)

    def _known(self, words: Sequence[str], at: int, length: int) -> bool:
        expression = " ".join(words[at : at + length])
        if expression in self._exact:
            return True
        # "White rocket" is a plant to WordNet, and "a rocket that is white" to whoever describes an image.
        return bool(_senses(expression)) and (length == 1 or words[at] not in _QUALITIES | _COLOURS)


def _plain(text: str) -> str:
    return folded(text.replace("_", " ").replace("-", " "))


@cache
def _senses(expression: str) -> tuple[Any, ...]:
    """The noun synsets of an expression, the most frequent sense first; plurals are understood."""
    return tuple(wordnet().synsets(expression.replace(" ", "_"), "n"))


@cache
def _singular(word: str) -> str:
    base = wordnet().morphy(word.replace(" ", "_"), "n")
    return base.replace("_", " ") if base else word


@cache
def _first(expression: str) -> str | None:
    senses = _senses(expression)
    return senses[0].name() if senses else None


@cache
def _thing(expression: str) -> str | None:
    """The sense in which a list of classes has an expression: the first, or a frequent one that is no person."""
    senses = _senses(expression)
    things = [sense for sense in senses[: _SENSES + 1] if sense.lexname() != "noun.person"]
    person = senses and senses[0].lexname() == "noun.person"
    seen = [sense for sense in things if sense.lexname().removeprefix("noun.") in _VISIBLE]
    return (seen[0] if person and seen else senses[0]).name() if senses else None


@cache
def _frequent(expression: str) -> frozenset[str]:
    return frozenset(sense.name() for sense in _senses(expression)[:_SENSES])


@cache
def _closure(name: str) -> frozenset[str]:
    """A synset and everything above it."""
    return frozenset(each.name() for each in _all_above(wordnet().synset(name)))


@cache
def _above(expression: str) -> frozenset[str]:
    """The first sense of an expression and everything above it."""
    first = _first(expression)
    return _closure(first) if first else frozenset()


@cache
def _broader_of(name: str) -> frozenset[str]:
    """What is above a synset and still says something about it."""
    return frozenset(
        each.name()
        for each in _all_above(wordnet().synset(name))
        if each.name() not in (name, ROOT_CONCEPT) and each.min_depth() >= _LEAST_DEPTH
    )


def _all_above(synset: Any) -> set[Any]:
    found, waiting = {synset}, [synset]
    while waiting:
        each = waiting.pop()
        new = set(each.hypernyms()) | set(each.instance_hypernyms())
        waiting.extend(new - found)
        found |= new
    return found
