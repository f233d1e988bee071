"""Kinds of regions over all images, what each is called, and whether that has to do with a text."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from core.concepts.english import FRAMES, content_words
from core.concepts.glosses import embed_names
from core.concepts.umbrellas import umbrellas
from core.concepts.visible import common_names, visible_noun
from core.concepts.vocabulary import vocabulary
from core.concepts.wordnet import senses, synset
from core.errors import InputError
from core.models.model import Model

Floats = NDArray[np.float64]
FEWEST_A_KIND = 3
SENSES = 3
# Where a name comes from.
AUDIT, COMMON = "the audit", "common concepts"


class Candidates:
    """The concepts that regions may be named by, with their unit embeddings `(concepts, embedding)`.

    First come the audit's own `names`, then common visual concepts; the first `naming` of all may name a region. Terms
    for several of these follow. `general` ones only fill ranks; they are the same for every audit, and their
    embeddings are kept.
    """

    def __init__(self, model: Model, names: Sequence[str], general: Sequence[str], template: str) -> None:
        own, common, terms, more = (
            list(dict.fromkeys(name.lower() for name in part))
            for part in (names, common_names(), [term.name for term in umbrellas()], general)
        )
        first_ones = [*own, *common, *terms]
        parts = [model.embed_texts([template.format(name) for name in first_ones]).double().cpu().numpy()]
        if more:
            parts.append(embed_names(model, [template.format(name) for name in more]).astype(np.float64))
        every = [*first_ones, *more]
        # A name that several lists have counts once, in the first of them.
        first = {name: at for at, name in reversed(list(enumerate(every)))}
        keep = sorted(first.values())
        self.names = [every[at] for at in keep]
        self.embeddings: Floats = np.concatenate(parts)[keep]
        self.naming = sum(at < len(own) + len(common) for at in keep)
        self.sources = [AUDIT if at < len(own) else COMMON for at in keep[: self.naming]]

    def related(self, text: Floats) -> Floats:
        """For each concept its rank by nearness to a text `(embedding,)`: 1 the nearest, 0 the farthest."""
        cosines = self.embeddings @ text
        return cosines.argsort(kind="stable").argsort(kind="stable") / max(len(cosines) - 1, 1)


def audit_names(classes: Sequence[str], texts: Sequence[str], own: Sequence[str]) -> list[str]:
    """What the audit itself offers as concepts: a person's own, its classes, and the visible things in its texts.

    Words are in their base form (`boat` for `boats`), and only those that are common or everyday concepts: a caption
    has many nouns that name no region, such as `guy` or `gather`.
    """
    known = {*common_names(), *everyday_names()[0]}
    words = [visible_noun(word) for text in texts for word in content_words(text) if word not in FRAMES]
    return list(dict.fromkeys([*own, *classes, *(word for word in words if word in known)]))


@lru_cache(maxsize=1)
def everyday_names() -> tuple[list[str], str]:
    """WordNet's everyday things, and what is said instead if WordNet can't be read: then there are none."""
    try:
        return [concept.title for concept in vocabulary("everyday").concepts if concept.listed], ""
    except InputError as error:
        return [], str(error)


def kinds_of(alone: Floats, most: int, seed: int) -> NDArray[np.int64]:
    """The kind of each region `(regions,)` from the embeddings of the regions alone: k-means, the largest kind 0.

    What all regions have in common is taken out first. There are at most `most` kinds, and about three regions or more
    for each.
    """
    count = min(most, max(1, len(alone) // FEWEST_A_KIND))
    centred = alone - alone.mean(axis=0)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    units = centred / np.where(length > 1e-12, length, 1.0)
    count = min(count, len(np.unique(units.round(9), axis=0)))
    labels = KMeans(count, n_init=4, random_state=seed).fit(units).labels_
    sizes = np.bincount(labels, minlength=count)
    rank = np.empty(count, dtype=np.int64)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(count)
    return rank[labels]


def is_kin(concept: str, text: str) -> bool:
    """Whether the concept is a word of the text, or WordNet has one of its senses above or below one of the text's."""
    words = content_words(text)
    plain = set(content_words(concept)) or {concept}
    if plain & {form for word in words for form in (word, word.removesuffix("s"), word.removesuffix("es"))}:
        return True
    own = _family(concept)
    phrases = [*words, *(" ".join(pair) for pair in pairwise(words))]
    return any(bool(own[0] & other[1]) or bool(own[1] & other[0]) for other in map(_family, phrases))


@lru_cache(maxsize=8192)
def _family(word: str) -> tuple[frozenset[str], frozenset[str]]:
    """The first senses of a word, and these with all that is above them; empty without WordNet."""
    try:
        first = [synset(name) for name in senses(word)[:SENSES]]
    except InputError:
        return frozenset(), frozenset()
    above: set[Any] = set()
    for sense in first:
        above |= {parent.name() for parent in sense.closure(lambda each: each.hypernyms())}
    names = frozenset(sense.name() for sense in first)
    return names, names | frozenset(above)
