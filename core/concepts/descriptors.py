"""Banks of descriptors: short phrases that describe an image without naming what it shows. No torch.

No language model is asked. Phrases come from a dictionary's glosses and part names, from attributes and parts of our
own, or from the person. Every phrase that mentions a class or a synonym of one is left out, because it would make any
overlap trivial.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from core.concepts.wordnet import wordnet
from core.errors import InputError

Source = Literal["attribute", "part", "gloss", "colour and part", "own"]

LEAST = 20
LONGEST_PHRASE = 12
LEVELS_ABOVE = 4
SIBLINGS = 6

COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white", "grey")
MATERIALS = (
    *("wood", "metal", "glass", "plastic", "stone", "brick", "cloth", "leather", "paper", "rubber", "wool", "ceramic"),
)
SURFACES = (
    *("striped pattern", "spotted pattern", "checked pattern", "plain surface", "shiny surface", "rough surface"),
    *("smooth skin", "wet surface", "dusty surface", "soft fur", "short hair", "long hair", "scaly skin", "feathers"),
    *("wrinkled skin", "printed letters", "transparent body", "colourful pattern", "dark shadow", "bright light"),
)
SHAPES = (
    *("round shape", "square shape", "long and thin shape", "flat shape", "pointed shape", "curved shape"),
    *("hollow inside", "hanging down", "standing upright", "lying flat", "small size", "large size", "sharp edges"),
    *("symmetrical shape", "open top", "rectangular frame", "tall and narrow shape", "oval shape"),
)
SETTINGS = (
    *("in the water", "on the grass", "in the sky", "on a road", "indoors in a room", "on a table", "on a wall"),
    *("in the snow", "on sand", "among trees", "in a kitchen", "in a street", "in a crowd", "held in a hand"),
    *("against a plain background", "next to others of its kind", "seen from above", "seen from the side"),
    *("moving fast", "sitting still", "looking at the camera", "eating something", "worn on the body"),
)
PARTS = (
    *("legs", "wings", "ears", "eyes", "horns", "paws", "fins", "whiskers", "claws", "teeth", "petals", "leaves"),
    *("branches", "roots", "wheels", "windows", "doors", "headlights", "handles", "buttons", "pockets", "sleeves"),
    *("straps", "laces", "strings", "keys", "cables", "pipes", "shelves", "drawers", "pages", "numbers", "stairs"),
    *("columns", "sails", "ropes", "spokes", "pedals", "antennae", "stripes"),
)


@dataclass(frozen=True)
class Sense:
    """One sense of a noun: its key in the lexicon, its names, its gloss and the names of its parts."""

    key: str
    names: tuple[str, ...]
    gloss: str
    parts: tuple[str, ...] = ()


class Lexicon(Protocol):
    """A dictionary of nouns."""

    def senses(self, name: str) -> Sequence[Sense]:
        """The senses of a name, the commonest first; none for an unknown one."""

    def above(self, sense: Sense) -> Sequence[Sense]:
        """More general senses, the nearest first."""

    def beside(self, sense: Sense) -> Sequence[Sense]:
        """Other senses directly below the same more general ones."""


@dataclass(frozen=True)
class Bank:
    """Descriptors with the `sources` they came from.

    `senses` says which gloss each class was taken to mean, `unknown` names the classes that the lexicon lacks, and
    `dropped` pairs each phrase that was left out with the name it mentions.
    """

    descriptors: tuple[str, ...]
    sources: tuple[Source, ...]
    senses: dict[str, str]
    unknown: tuple[str, ...]
    dropped: tuple[tuple[str, str], ...]

    def __len__(self) -> int:
        return len(self.descriptors)

    def counts(self) -> dict[str, int]:
        """How many descriptors came from each source."""
        return {source: self.sources.count(source) for source in dict.fromkeys(self.sources)}


def build_bank(
    classes: Sequence[str], lexicon: Lexicon | None = None, *, own: Sequence[str] = (), most: int = 2000
) -> Bank:
    """A bank for these classes.

    `own` phrases are used alone if there are any. Otherwise attributes, parts and colours of parts of our own, and,
    with a `lexicon`, the glosses and part names of the classes, of the senses above them and beside them; at most
    `most` phrases. Raises `InputError` if fewer than 20 are left.
    """
    meant = {name: _meant(name, lexicon) for name in classes}
    found = {name: sense for name, sense in meant.items() if sense is not None}
    forbidden = _forbidden(classes, found, lexicon)
    drafts: Iterable[tuple[str, Source]]
    if own:
        drafts = ((phrase, "own") for phrase in own)
    else:
        drafts = _drafts(list(found.values()), lexicon)
    kept: dict[str, tuple[str, Source]] = {}
    dropped: dict[str, str] = {}
    for phrase, source in drafts:
        clean = " ".join(phrase.split())
        named = mentions(clean, forbidden)
        if named is not None:
            dropped.setdefault(clean, named)
        elif clean and (own or len(kept) < most):
            kept.setdefault(clean.casefold(), (clean, source))
    if len(kept) < LEAST:
        raise InputError(
            f"{len(kept)} descriptors are left after removing {len(dropped)} that mention a class; give at least "
            f"{LEAST} that describe without naming"
        )
    return Bank(
        descriptors=tuple(phrase for phrase, _ in kept.values()),
        sources=tuple(source for _, source in kept.values()),
        senses={name: sense.gloss for name, sense in found.items()},
        unknown=tuple(name for name, sense in meant.items() if sense is None) if lexicon is not None else (),
        dropped=tuple(dropped.items()),
    )


def mentions(phrase: str, names: frozenset[str]) -> str | None:
    """The first of `names` (lower case, words parted by spaces) that stands in the phrase as whole words, or None.

    Hyphens part words, and simple plurals count as the name.
    """
    words = re.findall(r"\w+", phrase.casefold().replace("_", " "))
    longest = max((name.count(" ") + 1 for name in names), default=0)
    for start in range(len(words)):
        for length in range(1, min(longest, len(words) - start) + 1):
            *front, last = words[start : start + length]
            for form in _singulars(last):
                candidate = " ".join([*front, form])
                if candidate in names:
                    return candidate
    return None


def gloss_phrases(gloss: str) -> list[str]:
    """A gloss as short phrases: without brackets, split at semicolons and commas, of 2 to 12 words each."""
    found = []
    for piece in re.split(r"[;,:]", re.sub(r"\([^()]*\)", " ", gloss)):
        phrase = re.sub(r"^(?:and|or|especially|usually|often|sometimes|e\.g\.)\s+", "", " ".join(piece.split()))
        if 2 <= len(phrase.split()) <= LONGEST_PHRASE:
            found.append(phrase)
    return found


class WordNetLexicon:
    """WordNet's nouns through NLTK's corpus reader."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader

    def senses(self, name: str) -> list[Sense]:
        """The noun senses, in WordNet's order of frequency."""
        return [_sense(synset) for synset in self._reader.synsets(name.strip().replace(" ", "_"), pos="n")]

    def above(self, sense: Sense) -> list[Sense]:
        """The hypernyms, level by level, each once."""
        level, seen, found = [self._reader.synset(sense.key)], {sense.key}, []
        while level:
            level = [parent for synset in level for parent in synset.hypernyms() if parent.name() not in seen]
            # By name: the reader gives the parents of a synset in the order of a set, which differs between processes.
            every = {parent.name(): parent for parent in level}
            level = [every[name] for name in sorted(every)]
            seen.update(parent.name() for parent in level)
            found += [_sense(parent) for parent in level]
        return found

    def beside(self, sense: Sense) -> list[Sense]:
        """The other hyponyms of the hypernyms, by name."""
        parents = self._reader.synset(sense.key).hypernyms()
        siblings = {child.name(): child for parent in parents for child in parent.hyponyms()}
        return [_sense(siblings[name]) for name in sorted(siblings) if name != sense.key]


def wordnet_lexicon() -> WordNetLexicon:
    """The person's WordNet or the packaged nouns. Raises `InputError` if there is neither."""
    return WordNetLexicon(wordnet())


def _sense(synset: Any) -> Sense:
    parts = [meronym.lemma_names()[0] for meronym in synset.part_meronyms()]
    names = tuple(name.replace("_", " ") for name in synset.lemma_names())
    return Sense(
        synset.name(), names, synset.definition(), tuple(part.replace("_", " ") for part in sorted(set(parts)))
    )


def _meant(name: str, lexicon: Lexicon | None) -> Sense | None:
    if lexicon is None:
        return None
    # "red circle" is in no dictionary; its last word says what kind of thing it is.
    for part in dict.fromkeys((name, name.split()[-1])):
        senses = lexicon.senses(part)
        if senses:
            return senses[0]
    return None


def _forbidden(classes: Sequence[str], found: dict[str, Sense], lexicon: Lexicon | None) -> frozenset[str]:
    names: set[str] = set()
    for name in classes:
        synonyms = found[name].names if name in found else ()
        words = re.findall(r"\w+", name.casefold().replace("_", " "))
        names.update(_plain(synonym) for synonym in synonyms)
        names.add(" ".join(words))
        # The last word of a name gives the class away if it says what kind of thing it is (a black swan is a swan, a
        # hot dog no dog), and is taken to if the name as a whole is not in the dictionary.
        kinds = {_plain(kind) for above in _above(found.get(name), lexicon) for kind in above.names}
        known = " ".join(words) in {_plain(synonym) for synonym in synonyms}
        if words and (not known or words[-1] in kinds):
            names.add(words[-1])
    plain = {name for name in names if name}
    return frozenset(
        plain | {" ".join([*front, form]) for *front, last in map(str.split, plain) for form in _singulars(last)}
    )


def _above(sense: Sense | None, lexicon: Lexicon | None) -> Sequence[Sense]:
    return () if sense is None or lexicon is None else lexicon.above(sense)


def _plain(name: str) -> str:
    return " ".join(re.findall(r"\w+", name.casefold().replace("_", " ")))


def _singulars(word: str) -> list[str]:
    forms = [word]
    for ending, instead in (("ies", "y"), ("ves", "f"), ("ves", "fe"), ("men", "man"), ("es", ""), ("s", "")):
        if word.endswith(ending) and len(word) > len(ending) + 1 and not word.endswith("ss"):
            forms.append(word[: len(word) - len(ending)] + instead)
    return forms


def _drafts(senses: Sequence[Sense], lexicon: Lexicon | None) -> Iterable[tuple[str, Source]]:
    for phrase in _attributes():
        yield phrase, "attribute"
    for part in PARTS:
        yield f"has {part}", "part"
    around = [_around(sense, lexicon) for sense in senses] if lexicon is not None else []
    named = list(dict.fromkeys(part for near in around for sense in near for part in sense.parts))
    for part in named:
        yield f"has {_article(part)} {part}", "part"
    # One gloss of every class in turn, so that a limit cuts all classes alike.
    for rank in range(max((len(near) for near in around), default=0)):
        for near in around:
            if rank < len(near):
                for phrase in gloss_phrases(near[rank].gloss):
                    yield phrase, "gloss"
    for part in PARTS:
        for colour in COLOURS:
            yield f"has {colour} {part}", "colour and part"
    for part in named:
        for colour in COLOURS:
            yield f"has {_article(colour)} {colour} {part}", "colour and part"


def _attributes() -> list[str]:
    colours = [f"{colour} colour" for colour in COLOURS]
    return [*colours, *(f"made of {material}" for material in MATERIALS), *SURFACES, *SHAPES, *SETTINGS]


def _around(sense: Sense, lexicon: Lexicon) -> list[Sense]:
    return [sense, *list(lexicon.above(sense))[:LEVELS_ABOVE], *list(lexicon.beside(sense))[:SIBLINGS]]


def _article(word: str) -> str:
    return "an" if word[:1].lower() in "aeiou" else "a"
