"""Positions of images in two dimensions, from their embeddings: the same bytes at each repetition. No torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
TSNE, COMPONENTS, POINT = "t-SNE", "principal components", "one point"  # messages
# Of fewer images t-SNE shows nothing that the principal components do not.
FEWEST = 10
# The steps in which groups are drawn together, and how strongly, as van der Maaten and Hinton chose them.
EARLY, EXAGGERATION = 250, 12
# Embeddings closer than this, of unit length, differ by rounding alone.
SAME, COPIES = 1e-6, 6
DECIMALS = 5
EVERY = 50


@dataclass(frozen=True)
class Layout:
    """Positions `(images, 2)`, centred, the longer side from -1 to 1; how they were made; the perplexity of t-SNE."""

    positions: Floats
    method: str
    perplexity: float | None = None


@dataclass(frozen=True)
class Neighbours:
    """The nearest other images of each image, nearest first: `index` and `distance`, both `(images, neighbours)`."""

    index: Whole
    distance: Floats


def one_thread() -> Any:
    """A context in which sums are added in one order, whatever the number of processors."""
    return threadpool_limits(1)


def neighbours(points: Floats, count: int) -> Neighbours:
    """The `count` nearest others of each point by Euclidean distance, or all others where there are fewer.

    Between unit vectors this is the order of their cosines. Exact: all pairs are compared.
    """
    near = min(count, len(points) - 1)
    if near < 1:
        return Neighbours(np.empty((len(points), 0), np.int64), np.empty((len(points), 0)))
    found = NearestNeighbors(n_neighbors=near, algorithm="brute", n_jobs=1).fit(points)
    distance, index = found.kneighbors()
    return Neighbours(np.asarray(index, np.int64), np.asarray(distance, np.float64))


def components(embeddings: Floats) -> Floats:
    """The first two principal components `(images, 2)`; zeros where there are not two."""
    wanted = min(2, *embeddings.shape)
    found = np.zeros((len(embeddings), 2))
    if len(embeddings) > 1:
        found[:, :wanted] = PCA(wanted, svd_solver="full").fit_transform(embeddings)
    return found


def layout(
    embeddings: Floats, near: Neighbours, perplexity: float, steps: int, tell: Callable[[int, int], None]
) -> Layout:
    """The layout of `embeddings` (images, embedding) whose nearest neighbours are `near`.

    `near` should hold three times the perplexity. `tell` takes the step and the number of steps.
    """
    if len(embeddings) < 2 or float(np.ptp(embeddings, axis=0).max()) < SAME:
        return Layout(np.zeros((len(embeddings), 2)), POINT)
    # Copies share a position: t-SNE would push them apart.
    _, first, copy_of = np.unique(np.round(embeddings, COPIES), axis=0, return_index=True, return_inverse=True)
    alone = embeddings
    if len(first) < len(embeddings):
        alone = embeddings[first]
        near = neighbours(alone, near.index.shape[1])
    else:
        copy_of = np.arange(len(embeddings))
    start = components(alone)
    if len(alone) < FEWEST:
        return Layout(scaled(start)[copy_of], COMPONENTS)
    reach = min(perplexity, (len(alone) - 1) / 3)
    return Layout(scaled(_tsne(start, near, reach, steps, tell))[copy_of], TSNE, reach)


def scaled(positions: Floats) -> Floats:
    """The positions about their middle, the longer side from -1 to 1, rounded to `DECIMALS`."""
    low, high = positions.min(axis=0), positions.max(axis=0)
    reach = float((high - low).max()) / 2
    centred = positions - (low + high) / 2
    # Without negative zeros, which are other bytes.
    return np.round(centred / reach if reach > 0 else centred * 0, DECIMALS) + 0.0


def _tsne(start: Floats, near: Neighbours, perplexity: float, steps: int, tell: Callable[[int, int], None]) -> Floats:
    # Loaded here: it takes a second that whoever reads a stored layout need not wait.
    from openTSNE import TSNEEmbedding
    from openTSNE.affinity import PerplexityBasedNN
    from openTSNE.nearest_neighbors import PrecomputedNeighbors

    count = min(near.index.shape[1], max(1, int(3 * perplexity)))
    known = PrecomputedNeighbors(near.index[:, :count], near.distance[:, :count])
    affinities = PerplexityBasedNN(knn_index=known, perplexity=perplexity, n_jobs=1)
    spread = float(start[:, 0].std())
    positions = TSNEEmbedding(start / spread * 1e-4, affinities, n_jobs=1, random_state=0)
    whole = EARLY + steps
    for done, some, momentum, exaggeration in ((0, EARLY, 0.5, EXAGGERATION), (EARLY, steps, 0.8, 1)):

        def told(step: int, error: float, now: Any, done: int = done) -> None:
            tell(done + step, whole)

        positions = positions.optimize(
            some, exaggeration=exaggeration, momentum=momentum, callbacks=told, callbacks_every_iters=EVERY
        )
    return np.asarray(positions, dtype=np.float64)
