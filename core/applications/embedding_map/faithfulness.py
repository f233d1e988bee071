"""How far a layout in two dimensions shows which images are nearest to each other by their embeddings. No torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import euclidean_distances

from core.applications.embedding_map.layout import Neighbours, neighbours

Floats = NDArray[np.float64]
# Trustworthiness compares each image with all others; of more images, so many are drawn at random.
MOST_RANKED = 5000
BLOCK = 512
# Distances that differ by less are equal: rounding must not decide which of two copies is the nearer one.
EQUAL = 1e-6


@dataclass(frozen=True)
class Faithfulness:
    """One value for each image, from 0 to 1.

    preserved: the share of its nearest images in the layout that are among its nearest by embedding.
    trustworthiness: 1 less the penalty for nearest images in the layout that are further off by embedding, by the
    rank that they have there; NaN for images that were not drawn.
    """

    preserved: Floats
    trustworthiness: Floats


def compared(images: int, wanted: int) -> int:
    """How many neighbours are compared: `wanted`, but fewer than half of the images; 0 where that leaves none."""
    return max(0, min(wanted, (images - 1) // 2))


def faithfulness(embeddings: Floats, near: Neighbours, positions: Floats, count: int, seed: int) -> Faithfulness:
    """How faithful `positions` (images, 2) are to `embeddings`, over `count` nearest images as `compared` gives it.

    `near` holds at least `count` nearest images by embedding.
    """
    images = len(embeddings)
    if not count:
        return Faithfulness(np.full(images, np.nan), np.full(images, np.nan))
    shown = neighbours(positions, count).index
    apart = distances_to(embeddings, shown)
    preserved = (apart <= near.distance[:, count - 1, None] + EQUAL).mean(axis=1)
    ranked = np.arange(images)
    if images > MOST_RANKED:
        ranked = np.sort(np.random.default_rng(seed).choice(images, MOST_RANKED, replace=False))
    trust = np.full(images, np.nan)
    trust[ranked] = 1 - penalties(embeddings, shown, apart, ranked, count)
    return Faithfulness(preserved, trust)


def distances_to(embeddings: Floats, others: NDArray[np.int64]) -> Floats:
    """The distances `(images, others)` of each image to its `others`."""
    parts = [
        np.linalg.norm(embeddings[start : start + BLOCK, None] - embeddings[others[start : start + BLOCK]], axis=2)
        for start in range(0, len(embeddings), BLOCK)
    ]
    return np.concatenate(parts)


def penalties(
    embeddings: Floats, shown: NDArray[np.int64], apart: Floats, ranked: NDArray[np.int64], count: int
) -> Floats:
    """For each of `ranked` the sum of the ranks beyond `count` of its nearest images in the layout, from 0 to 1.

    Of images at one distance each has the best rank.
    """
    images = len(embeddings)
    worst = count * (2 * images - 3 * count - 1) / 2
    found = np.empty(len(ranked))
    for start in range(0, len(ranked), BLOCK):
        rows = ranked[start : start + BLOCK]
        every = euclidean_distances(embeddings[rows], embeddings)
        # An image is no neighbour of itself.
        every[np.arange(len(rows)), rows] = np.inf
        every.sort(axis=1)
        for at, row in enumerate(rows):
            rank = np.searchsorted(every[at], apart[row] - EQUAL) + 1
            found[start + at] = np.maximum(rank - count, 0).sum() / worst
    return found
