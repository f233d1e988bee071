"""Images of another kind than the rest, by colours, texture and neighbours in the embedding. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.applications.data_checks.copies import joined

Floats = NDArray[np.float64]
SIGNALS = {
    "colour": "colour",
    "colours": "number of colours",
    "even": "even area",
    "slope": "fineness of texture",
}  # messages
CONSISTENT = 1.4826
# Robust deviations from the median beyond which colours or texture are odd. On natural photographs one image in thirty
# lies beyond, but hardly ever together with its nearest images.
LIMIT = 3.5
# Fewer images than this are single ones, not a group; and this share of a group must have its nearest image in it.
LEAST_GROUP, LEAST_INSIDE = 3, 2 / 3
# A larger part of the images is a group of its own, not an exception.
LARGEST = 0.25
NEIGHBOURS = 2
# Less colour than this, in units of the full range, cannot be told from none.
FAINT = 0.002


@dataclass(frozen=True)
class Kind:
    """A group of images of another kind: their positions, the signal that sets them apart, its mean robust z.

    inside: how many have their nearest image, by the model's embedding, in the group.
    """

    members: tuple[int, ...]
    signal: str
    z: float
    inside: int


def robust_z(values: Floats) -> Floats:
    """Distance from the median in robust standard deviations (1.4826 MAD); zeros where the values do not vary."""
    values = np.asarray(values, dtype=np.float64)
    middle = np.median(values)
    spread = CONSISTENT * float(np.median(np.abs(values - middle)))
    return (values - middle) / spread if spread > 1e-9 else np.zeros(len(values))


def signal_z(name: str, values: Floats) -> Floats:
    """The robust z of one signal; colour on a logarithmic scale, on which dark images differ less than grey ones."""
    return robust_z(np.log(np.asarray(values, dtype=np.float64) + FAINT) if name == "colour" else values)


def kinds(looks: Mapping[str, Floats], embeddings: NDArray[Any], limit: float) -> list[Kind]:
    """The groups of images that lie more than `limit` robust deviations from the median and are each other's nearest.

    Both are required: a single odd photograph has its nearest image among the others, and images of one subject lie
    together but have the colours and the texture of photographs.
    """
    scores = np.stack([signal_z(name, looks[name]) for name in SIGNALS])
    embeddings = np.asarray(embeddings, dtype=np.float64)
    odd = np.flatnonzero((np.abs(scores) > limit).any(axis=0))
    if len(odd) < LEAST_GROUP:
        return []
    cosines = embeddings @ embeddings.T
    np.fill_diagonal(cosines, -np.inf)
    nearest = np.argsort(-cosines, axis=1, kind="stable")[:, :NEIGHBOURS]
    among = set(odd.tolist())
    links = [(at, int(other)) for at in odd.tolist() for other in nearest[at] if int(other) in among]
    groups = []
    for members in joined(links, LEAST_GROUP):
        inside = sum(int(nearest[at, 0]) in members for at in members)
        if inside >= LEAST_INSIDE * len(members) and len(members) <= LARGEST * len(embeddings):
            means = scores[:, members].mean(axis=1)
            top = int(np.abs(means).argmax())
            groups.append(Kind(tuple(members), list(SIGNALS)[top], float(means[top]), inside))
    return groups
