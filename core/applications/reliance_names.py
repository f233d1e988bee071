"""Kinds of regions over all pictures, what each is called, and whether that has to do with a text."""

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
from core.concepts.vocabulary import vocabulary
from core.concepts.wordnet import senses, synset
from core.errors import InputError
from core.models.model import Model

Floats = NDArray[np.float64]
FEWEST_A_KIND = 3
SENSES = 3


class Candidates:
    """The concepts that regions may be named by, with their unit embeddings `(concepts, embedding)`.

    `names` come from the audit; `general` ones are the same for every audit, and their embeddings are kept.
    """

    def __init__(self, model: Model, names: Sequence[str], general: Sequence[str], template: str) -> None:
        own = list(dict.fromkeys(name.lower() for name in names))
        more = list(dict.fromkeys(name.lower() for name in general))
        parts = []
        if own:
            parts.append(model.embed_texts([template.format(name) for name in own]).double().cpu().numpy())
        if more:
            parts.append(embed_names(model, [template.format(name) for name in more]).astype(np.float64))
        # A name that both have counts once, as the audit's.
        keep = [at for at, name in enumerate([*own, *more]) if at < len(own) or name not in set(own)]
        self.names = [[*own, *more][at] for at in keep]
        self.embeddings: Floats = np.concatenate(parts)[keep]

    def related(self, text: Floats) -> Floats:
        """For each concept its rank by nearness to a text `(embedding,)`: 1 the nearest, 0 the farthest."""
        cosines = self.embeddings @ text
        return cosines.argsort(kind="stable").argsort(kind="stable") / max(len(cosines) - 1, 1)


def audit_names(classes: Sequence[str], texts: Sequence[str], own: Sequence[str]) -> list[str]:
    """What the audit itself offers as concepts: a person's own, its classes, the content words of its texts."""
    words = [word for text in texts for word in content_words(text) if word not in FRAMES]
    return list(dict.fromkeys([*own, *classes, *words]))


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


def named(alone: Floats, kinds: NDArray[np.int64], candidates: Candidates) -> tuple[list[str], list[str]]:
    """The concept of each kind, and each region's own nearest.

    Each concept's mean cosine with all regions is taken out, so that one that is near to everything names nothing; this
    needs more than one kind.
    """
    cosines = alone @ candidates.embeddings.T
    if kinds.max() > 0:
        cosines = cosines - cosines.mean(axis=0)
    of_kind = [cosines[kinds == kind].mean(axis=0) for kind in range(int(kinds.max()) + 1)]
    return [candidates.names[int(row.argmax())] for row in of_kind], [candidates.names[at] for at in cosines.argmax(1)]


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
