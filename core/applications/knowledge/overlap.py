"""Concepts of an image, concepts of a class, and how far they overlap. Everything in float64; no torch.

A concept is the index of a descriptor in a bank, whose unit embeddings are the rows of `bank` (descriptors, width).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

# CLIPScore's factor on a cosine.
FACTOR = 2.5
ROUNDS = 1000


@dataclass(frozen=True)
class ImageConcepts:
    """The visual concepts of an image, the most relevant first.

    `order` (concepts,) with `relevance`, 2.5 times the cosine with the whole image; `by_part` names each part's
    concepts, best first; `fallback` says that the parts' best descriptors had none in common.
    """

    order: Indices
    relevance: Floats
    by_part: tuple[tuple[int, ...], ...]
    fallback: bool


@dataclass(frozen=True)
class Overlap:
    """How an image's concepts (`visual` of them) meet a class's (`textual` of them).

    `shared` is their number in common, `score` the mutual-knowledge score log(visual * textual * shared) or 0,
    `curve` the score while the most relevant visual concepts are removed one by one, `auc` its mean.
    """

    shared: int
    visual: int
    textual: int
    score: float
    jaccard: float
    coefficient: float
    curve: Floats
    auc: float


def transport(similarity: NDArray[Any], temperature: float = 1.0, rounds: int = ROUNDS) -> Floats:
    """The entropic transport plan between parts (rows) and descriptors (columns): the exponential of 2.5 times the
    cosines, rows and columns scaled to sums of 1 in turn, columns last.

    With fewer rows than columns the rows can't sum to 1 as well, so only the order within a row means something.
    """
    powers = FACTOR * np.asarray(similarity, dtype=np.float64) / temperature
    kernel = np.exp(powers - powers.max())
    column = np.ones(kernel.shape[1])
    for _ in range(rounds):
        row = 1.0 / (kernel @ column)
        scaled_column = 1.0 / (row @ kernel)
        plan = row[:, None] * kernel * scaled_column
        # Each round also moves a factor from rows to columns, which the plan doesn't see; it would overflow.
        after = scaled_column / scaled_column.max()
        if np.allclose(after, column, rtol=1e-13, atol=0):
            break
        column = after
    return plan


def image_concepts(
    parts: NDArray[Any],
    image: NDArray[Any],
    bank: NDArray[Any],
    *,
    candidates: int = 500,
    slack: float = 0.02,
    per_part: int = 3,
    sinkhorn: bool = True,
    temperature: float = 1.0,
) -> ImageConcepts:
    """The visual concepts of an image from its parts' embeddings `(parts, width)` and its own unit embedding.

    Of each part's `candidates` best descriptors the common ones are kept (all of them if there is none). Those whose
    cosine with the image lies more than `slack` below their mean are dropped; the rest is shared out over the parts.
    """
    similarity = np.asarray(parts, dtype=np.float64) @ bank.T
    best = [set(row[:candidates].tolist()) for row in np.argsort(-similarity, axis=1, kind="stable")]
    common = set.intersection(*best)
    kept = np.array(sorted(common or set.union(*best)), dtype=np.int64)
    with_image = bank[kept] @ np.asarray(image, dtype=np.float64)
    close = with_image >= with_image.mean() - slack
    kept, with_image = kept[close], with_image[close]
    part_scores = similarity[:, kept]
    # A single part has nothing to share: its plan would be all ones and say nothing.
    plan = transport(part_scores, temperature) if sinkhorn and len(part_scores) > 1 else part_scores
    chosen = np.argsort(-plan, axis=1, kind="stable")[:, :per_part]
    positions = np.unique(chosen)
    positions = positions[np.argsort(-with_image[positions], kind="stable")]
    return ImageConcepts(
        order=kept[positions],
        relevance=FACTOR * with_image[positions],
        by_part=tuple(tuple(int(kept[at]) for at in row) for row in chosen),
        fallback=not common,
    )


def class_concepts(classes: NDArray[Any], bank: NDArray[Any], count: int = 50) -> Indices:
    """The `count` descriptors nearest to each class `(classes, count)`, nearest first; all of a smaller bank."""
    similarity = np.asarray(classes, dtype=np.float64) @ bank.T
    return np.argsort(-similarity, axis=1, kind="stable")[:, :count]


def knowledge_score(visual: int, textual: int, shared: NDArray[Any] | int) -> Floats:
    """The mutual-knowledge score log(visual * textual * shared), 0 where nothing is shared; the shape of `shared`.

    It is the released quantity log N + log M + H with H = log K, the entropy of the table of matches. Mutual
    information would subtract H and fall with the overlap.
    """
    number = np.asarray(shared, dtype=np.float64)
    return np.where(number > 0, np.log(np.maximum(visual * textual * number, 1.0)), 0.0)


def membership(textual: Indices, bank: int) -> NDArray[np.bool_]:
    """Which of the `bank` descriptors are among each class's concepts, `(classes, descriptors)`."""
    found = np.zeros((len(textual), bank), dtype=bool)
    np.put_along_axis(found, textual, True, axis=1)
    return found


def removal_curves(order: Sequence[int] | Indices, members: NDArray[np.bool_], textual: int) -> Floats:
    """The score against each class `(classes, concepts + 1)` while an image's concepts are replaced, in `order`, by
    one that no class has. `members` (classes, descriptors) marks the `textual` concepts of each class.
    """
    hits = members[:, np.asarray(order, dtype=np.int64)].astype(np.int64)
    left = hits.sum(axis=1, keepdims=True) - np.pad(np.cumsum(hits, axis=1), ((0, 0), (1, 0)))
    return knowledge_score(hits.shape[1], textual, left)


def overlap(order: Sequence[int] | Indices, textual: Sequence[int] | Indices) -> Overlap:
    """How an image's concepts, most relevant first, meet a class's."""
    visual, count = len(order), len(textual)
    hits = np.isin(np.asarray(order), np.asarray(textual))
    shared = int(hits.sum())
    curve = removal_curves(np.arange(visual), hits[None], count)[0]
    return Overlap(
        shared=shared,
        visual=visual,
        textual=count,
        score=float(curve[0]),
        jaccard=shared / max(visual + count - shared, 1),
        coefficient=shared / max(min(visual, count), 1),
        curve=curve,
        auc=float(curve.mean()),
    )


def expected_shared(visual: int, textual: int, bank: int) -> float:
    """How many concepts an image and a class would share if either drew them from the bank by chance."""
    return visual * textual / bank


def mean_curve(curves: Sequence[NDArray[Any]]) -> Floats:
    """The mean of several curves, each padded with zeros to the longest; empty for none."""
    longest = max((len(curve) for curve in curves), default=0)
    total = np.zeros(longest)
    for curve in curves:
        total[: len(curve)] += curve
    return total / max(len(curves), 1)


@dataclass(frozen=True)
class Edits:
    """What is left of a decision while concepts are taken out of an image's embedding, or put in alone.

    Curves `(concepts + 1,)` hold the probability of the class; `without` and `through` are the classes chosen when all
    concepts are gone, and when nothing else is left.
    """

    deletion: Floats
    insertion: Floats
    without: int
    through: int

    @property
    def deletion_auc(self) -> float:
        """Area under the deletion curve over the share of concepts; lower is better."""
        return curve_area(self.deletion)

    @property
    def insertion_auc(self) -> float:
        """Area under the insertion curve over the share of concepts; higher is better."""
        return curve_area(self.insertion)


def curve_area(curve: NDArray[Any]) -> float:
    """The trapezoid area of a curve over 0..1; the value itself of a single point."""
    return float(np.trapezoid(curve) / (len(curve) - 1)) if len(curve) > 1 else float(curve[0])


def edit(
    image: NDArray[Any],
    order: Sequence[int] | Indices,
    bank: NDArray[Any],
    classes: NDArray[Any],
    scale: float,
    which: int,
) -> Edits:
    """Delete and insert the concepts `order` in an image's embedding, and watch the probability of class `which`.

    A concept is its descriptor's direction from the mean of the bank, so that what all texts share is no concept.
    Deletion takes the part of the embedding in the span of the first concepts away, insertion keeps that part alone;
    the softmax over `classes` (classes, width) has the model's own `scale`.
    """
    embedding = np.asarray(image, dtype=np.float64)
    directions = bank[np.asarray(order, dtype=np.int64)] - bank.mean(axis=0)
    steps = np.stack([axis * (axis @ embedding) for axis in orthonormal(directions)])
    kept = np.concatenate([np.zeros((1, len(embedding))), np.cumsum(steps, axis=0)])
    inserted = scale * kept @ np.asarray(classes, dtype=np.float64).T
    deleted = scale * (embedding - kept) @ np.asarray(classes, dtype=np.float64).T
    return Edits(
        deletion=softmax(deleted)[:, which],
        insertion=softmax(inserted)[:, which],
        without=int(deleted[-1].argmax()),
        through=int(inserted[-1].argmax()),
    )


def orthonormal(directions: NDArray[Any]) -> Floats:
    """For each row the unit direction it adds to the rows before it; zeros if it adds none."""
    axes = np.zeros(directions.shape, dtype=np.float64)
    for index, direction in enumerate(np.asarray(directions, dtype=np.float64)):
        rest = direction - axes[:index].T @ (axes[:index] @ direction)
        # A second time: rounding of nearly parallel rows leaves a part of them behind.
        rest = rest - axes[:index].T @ (axes[:index] @ rest)
        length = float(np.linalg.norm(rest))
        if length > 1e-9 * float(np.linalg.norm(direction)):
            axes[index] = rest / length
    return axes


def softmax(logits: NDArray[Any]) -> Floats:
    """The softmax over the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)
