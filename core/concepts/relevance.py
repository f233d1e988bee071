"""From embedded crops to maps and scores of concepts, by matrix products alone. No torch.

A crop ranks all concepts by the cosine of their glosses with it. A concept's rank there is that of its best ranked
member (itself or anything below it); ranks are written as scores, 1 for the best of all and 0 for the last. A cell's
value is the mean score of the crops that cover it: the maximum is taken a crop, the mean comes after.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.concepts.graph import ConceptGraph
from core.concepts.lattice import Lattice, Weighting

TOP_SHARE = 0.01
RELEASED_REACH = 91


@dataclass(frozen=True)
class ConceptMap:
    """A concept's map over one image and its absolute scores.

    values: `(cells, cells)`, mean normalised rank of the crops that cover a cell, 0 to 1, not stretched.
    best: the highest score of any crop. presence: the share of the image, counted by the crops that cover it, where
    a member is among the top 1 % of all concepts. chance: what a model that ranks at random would give.
    """

    values: NDArray[np.float32]
    best: float
    presence: float
    chance: float


@dataclass(frozen=True)
class ConceptScores:
    """Absolute scores of every concept for one image, each `(concepts,)`.

    `own` is the presence of the concept's own gloss, `presence` and `best` are those of the best member.
    """

    own: NDArray[np.float32]
    presence: NDArray[np.float32]
    best: NDArray[np.float32]


def similarities(crops: NDArray[Any], glosses: NDArray[Any]) -> NDArray[np.float32]:
    """Cosines `(crops, concepts)` in float32, whatever precision the embeddings were stored in."""
    return unit(crops) @ unit(glosses).T


def unit(vectors: NDArray[Any]) -> NDArray[np.float32]:
    """Rows of length 1, float32; a zero row stays zero."""
    rows = np.asarray(vectors, dtype=np.float32)
    return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12)


def rank_scores(cosines: NDArray[Any], values: NDArray[Any]) -> NDArray[np.float32]:
    """How `values` (crops,) rank among the rows of `cosines` (crops, concepts): 1 if none is higher, 0 if all are.

    Equal values share the better rank, so that twin glosses do not push each other down.
    """
    higher = (cosines > values[:, None]).sum(axis=1)
    return (1.0 - higher / max(cosines.shape[1] - 1, 1)).astype(np.float32)


def sharpened(scores: NDArray[Any], count: int, reach: int = RELEASED_REACH) -> NDArray[np.float32]:
    """Ranks written as scores by `rank_scores` among `count` concepts, so that only the first `reach` ranks count.

    With r concepts ranked higher the value is 2 (exp(-5 r / reach) - 1/2) for r < reach, 1 at most, and otherwise -1:
    the release's variant "gamma", whose reach of 91 is the number of leaves in its experiment with birds.
    """
    higher = np.rint((1.0 - np.asarray(scores, np.float64)) * max(count - 1, 1))
    return np.where(higher < reach, 2 * (np.exp(-5 * higher / reach) - 0.5), -1.0).astype(np.float32)


def member_scores(cosines: NDArray[Any], members: NDArray[Any]) -> NDArray[np.float32]:
    """The score of a concept at each crop (crops,): that of its best ranked member."""
    return rank_scores(cosines, cosines[:, members].max(axis=1))


def concept_map(
    cosines: NDArray[Any], members: NDArray[Any], lattice: Lattice, weighting: Weighting = "sum"
) -> ConceptMap:
    """The map and absolute scores of the concept with these members, from `similarities` of one image."""
    scores = member_scores(cosines, members)
    weights = lattice.weights(weighting)
    count = cosines.shape[1]
    return ConceptMap(
        (weights @ scores).astype(np.float32).reshape(lattice.cells, lattice.cells),
        float(scores.max()),
        float(weights.mean(axis=0) @ in_top(scores, count)),
        chance(count, len(members)),
    )


def all_scores(
    cosines: NDArray[Any], graph: ConceptGraph, lattice: Lattice, weighting: Weighting = "sum"
) -> ConceptScores:
    """The absolute scores of every concept of the graph for one image."""
    share = lattice.weights(weighting).mean(axis=0)
    ordered = np.sort(cosines, axis=1)
    own = _scores_in(ordered, cosines)
    raised = _scores_in(ordered, graph.propagate(cosines.T).T)
    count = cosines.shape[1]
    return ConceptScores(
        (share @ in_top(own, count)).astype(np.float32),
        (share @ in_top(raised, count)).astype(np.float32),
        raised.max(axis=0).astype(np.float32),
    )


def all_maps(
    cosines: NDArray[Any], graph: ConceptGraph, lattice: Lattice, weighting: Weighting = "sum"
) -> NDArray[np.float32]:
    """The maps of every concept `(concepts, cells, cells)`, parents by propagation."""
    raised = _scores_in(np.sort(cosines, axis=1), graph.propagate(cosines.T).T)
    return (lattice.weights(weighting) @ raised).T.astype(np.float32).reshape(-1, lattice.cells, lattice.cells)


def top_count(concepts: int) -> int:
    """How many concepts the top 1 % are, at least one."""
    return max(1, math.ceil(TOP_SHARE * concepts))


def in_top(scores: NDArray[Any], concepts: int) -> NDArray[np.float32]:
    """1 where a score is that of one of the top 1 % of `concepts`, else 0."""
    # Scores are whole ranks over concepts - 1; half a rank of room is far above their rounding.
    least = 1.0 - (top_count(concepts) - 0.5) / max(concepts - 1, 1)
    return (scores >= least).astype(np.float32)


def chance(concepts: int, members: int) -> float:
    """The share of crops where a random ranking puts one of `members` concepts into the top 1 %."""
    drawn = top_count(concepts)
    if members > concepts - drawn:
        return 1.0
    missed = sum(math.log1p(-members / (concepts - at)) for at in range(drawn))
    return 1.0 - math.exp(missed)


def _scores_in(ordered: NDArray[Any], values: NDArray[Any]) -> NDArray[np.float32]:
    count = ordered.shape[1]
    higher = np.empty(values.shape, dtype=np.float32)
    for crop in range(len(ordered)):
        higher[crop] = count - np.searchsorted(ordered[crop], values[crop], side="right")
    return 1.0 - higher / max(count - 1, 1)
