"""A graph of concepts: what each one says, and what stands above it. Plain data; no torch, no WordNet needed."""

from __future__ import annotations

import hashlib
import heapq
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.errors import InputError

ROOT_CONCEPT = "entity.n.01"


@dataclass(frozen=True)
class Concept:
    """One concept. `gloss` is the text a model reads; `listed` ones were asked for, the others stand above them."""

    name: str
    title: str
    gloss: str
    lemmas: tuple[str, ...] = ()
    listed: bool = True


@dataclass(frozen=True)
class ConceptGraph:
    """Concepts in an order in which every parent comes before its children; `parents` holds positions."""

    concepts: tuple[Concept, ...]
    parents: tuple[tuple[int, ...], ...]
    source: str

    def __len__(self) -> int:
        return len(self.concepts)

    @property
    def glosses(self) -> list[str]:
        """The text of each concept."""
        return [concept.gloss for concept in self.concepts]

    @cached_property
    def positions(self) -> dict[str, int]:
        """Position by name."""
        return {concept.name: at for at, concept in enumerate(self.concepts)}

    @cached_property
    def children(self) -> tuple[tuple[int, ...], ...]:
        """The positions directly below each concept."""
        found: list[list[int]] = [[] for _ in self.concepts]
        for at, parents in enumerate(self.parents):
            for parent in parents:
                found[parent].append(at)
        return tuple(map(tuple, found))

    @cached_property
    def listed(self) -> NDArray[np.intp]:
        """The positions of the concepts that were asked for."""
        return np.array([at for at, concept in enumerate(self.concepts) if concept.listed], dtype=np.intp)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of names, glosses and edges."""
        rows = [
            (concept.name, concept.gloss, parents) for concept, parents in zip(self.concepts, self.parents, strict=True)
        ]
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()

    def position(self, name: str) -> int:
        """Where a concept stands. Raises `InputError` if the graph does not have it."""
        if name in self.positions:
            return self.positions[name]
        near = [self.concepts[at].name for at in self.senses(name.split(".")[0].replace("_", " "))]
        hint = f"; its word has {', '.join(near[:6])}" if near else ""
        raise InputError(f"{name!r} is not among the {len(self)} concepts of this vocabulary{hint}")

    def members(self, concept: int) -> NDArray[np.intp]:
        """A concept and everything below it."""
        found, waiting = {concept}, [concept]
        while waiting:
            new = set(self.children[waiting.pop()]) - found
            found |= new
            waiting.extend(new)
        return np.array(sorted(found), dtype=np.intp)

    def leaves(self, concept: int) -> NDArray[np.intp]:
        """The members of a concept that have nothing below them."""
        return np.array([at for at in self.members(concept) if not self.children[at]], dtype=np.intp)

    @cached_property
    def sizes(self) -> NDArray[np.intp]:
        """How many members each concept has."""
        return np.array([len(self.members(at)) for at in range(len(self))], dtype=np.intp)

    def senses(self, word: str) -> list[int]:
        """The concepts that a word may name, listed ones first; a plural is tried without its ending."""
        wanted = " ".join(word.replace("_", " ").lower().split())
        for form in (wanted, *_singulars(wanted)):
            found = self._words.get(form)
            if found:
                return sorted(found, key=lambda at: (not self.concepts[at].listed, self.concepts[at].name))
        return []

    def propagate(self, values: NDArray[Any]) -> NDArray[Any]:
        """`values` (concepts, …) raised to the maximum over each concept's members, in one walk from the leaves up."""
        out = np.array(values)
        for at in range(len(self) - 1, -1, -1):
            for parent in self.parents[at]:
                np.maximum(out[parent], out[at], out=out[parent])
        return out

    def to_frame(self) -> pd.DataFrame:
        """One row a concept: name, title, gloss, lemmas, listed, parents (names)."""
        return pd.DataFrame(
            {
                "name": [concept.name for concept in self.concepts],
                "title": [concept.title for concept in self.concepts],
                "gloss": [concept.gloss for concept in self.concepts],
                "lemmas": [list(concept.lemmas) for concept in self.concepts],
                "listed": [concept.listed for concept in self.concepts],
                "parents": [[self.concepts[parent].name for parent in parents] for parents in self.parents],
            }
        )

    @classmethod
    def from_frame(cls, frame: pd.DataFrame, source: str) -> ConceptGraph:
        """The inverse of `to_frame`."""
        rows = [
            Concept(str(row.name), str(row.title), str(row.gloss), tuple(map(str, row.lemmas)), bool(row.listed))
            for row in frame.itertuples(index=False)
        ]
        where = {concept.name: at for at, concept in enumerate(rows)}
        parents = tuple(tuple(where[str(parent)] for parent in parents) for parents in frame["parents"])
        return cls(tuple(rows), parents, source)

    @cached_property
    def _words(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for at, concept in enumerate(self.concepts):
            for word in {lemma.lower() for lemma in (concept.title, *concept.lemmas)}:
                found.setdefault(word, []).append(at)
        return found


def make_graph(concepts: Iterable[Concept], parents: Mapping[str, Sequence[str]], source: str) -> ConceptGraph:
    """The graph of `concepts` with parents by name, ordered so that parents come first, otherwise by name.

    Raises `InputError` for two concepts of one name, an unknown parent, or a circle.
    """
    known: dict[str, Concept] = {}
    for concept in concepts:
        if concept.name in known:
            raise InputError(f"the concept {concept.name!r} appears twice; give each concept once")
        known[concept.name] = concept
    below: dict[str, list[str]] = {name: [] for name in known}
    missing = {name: len(set(parents.get(name, ()))) for name in known}
    for name in known:
        for parent in set(parents.get(name, ())):
            if parent not in known:
                raise InputError(f"the parent {parent!r} of {name!r} is not a concept of this vocabulary; add it")
            below[parent].append(name)
    ready = [name for name, count in missing.items() if not count]
    heapq.heapify(ready)
    order: list[str] = []
    while ready:
        name = heapq.heappop(ready)
        order.append(name)
        for child in below[name]:
            missing[child] -= 1
            if not missing[child]:
                heapq.heappush(ready, child)
    if len(order) < len(known):
        raise InputError(f"{next(name for name in known if missing[name])!r} is its own ancestor; break the cycle")
    where = {name: at for at, name in enumerate(order)}
    above = tuple(tuple(sorted({where[parent] for parent in parents.get(name, ())})) for name in order)
    return ConceptGraph(tuple(known[name] for name in order), above, source)


def _singulars(word: str) -> list[str]:
    found = []
    for ending, instead in (("ies", "y"), ("ves", "f"), ("ves", "fe"), ("men", "man"), ("es", ""), ("s", "")):
        if word.endswith(ending) and len(word) > len(ending) + 1:
            found.append(word[: -len(ending)] + instead)
    return found
