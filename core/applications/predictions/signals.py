"""Signals about the best class of each image, from embeddings alone. No torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]


@dataclass(frozen=True)
class Signals:
    """One value for each image.

    best, second: positions of the classes with the highest and the second highest similarity.
    similarity: the cosine of the best. margin: its lead in standard deviations of the image's similarities.
    probability, entropy: of the softmax at the model's scale; entropy as a share of that of equal classes.
    templates, disturbances: shares of templates and of disturbed copies with the same best class; NaN without any.
    disturbed: `(images, disturbances)`, the best class of each disturbed copy.
    neighbours: the mean probability of the best class in the nearest other images.
    """

    best: Whole
    second: Whole
    similarity: Floats
    margin: Floats
    probability: Floats
    entropy: Floats
    templates: Floats
    disturbances: Floats
    disturbed: Whole
    neighbours: Floats


def signals(images: Floats, disturbed: Floats, classes: Floats, each: Floats, scale: float, neighbours: int) -> Signals:
    """The signals of `images` (images, embedding).

    `disturbed` (disturbances, images, embedding) are the disturbed copies; `classes` (classes, embedding) decide the
    best class; `each` (templates, classes, embedding) are the classes in one template each. All are unit vectors.
    `scale` multiplies cosines before the softmax. At least two classes and two images are needed.
    """
    scores = images @ classes.T
    at = np.arange(len(images))
    order = np.argsort(-scores, axis=1, kind="stable")
    best, second = order[:, 0], order[:, 1]
    spread = scores.std(axis=1)
    lead = scores[at, best] - scores[at, second]
    likely = softmax(scale * scores)
    # An underflow to 0 contributes nothing.
    information = -(likely * np.log(np.maximum(likely, 1e-300))).sum(axis=1)
    copies = np.stack([(copy @ classes.T).argmax(axis=1) for copy in disturbed], axis=1) if len(disturbed) else None
    under = np.stack([(images @ one.T).argmax(axis=1) for one in each], axis=1) if len(each) else None
    return Signals(
        best=best,
        second=second,
        similarity=scores[at, best],
        margin=np.divide(lead, spread, out=np.zeros_like(lead), where=spread > 0),
        probability=likely[at, best],
        entropy=information / np.log(classes.shape[0]),
        templates=_same(under, best),
        disturbances=_same(copies, best),
        disturbed=np.empty((len(images), 0), np.int64) if copies is None else copies,
        neighbours=_of_neighbours(images, likely, best, neighbours),
    )


def softmax(values: Floats) -> Floats:
    """The softmax of each row."""
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    result: Floats = powers / powers.sum(axis=1, keepdims=True)
    return result


def _same(found: Whole | None, best: Whole) -> Floats:
    if found is None:
        return np.full(len(best), np.nan)
    share: Floats = (found == best[:, None]).mean(axis=1)
    return share


def _of_neighbours(images: Floats, likely: Floats, best: Whole, count: int) -> Floats:
    """The mean probability of each image's best class in its nearest images; a block of rows at a time."""
    # Without the mean, which all embeddings of a model share, cosines tell images apart better.
    centred = images - images.mean(axis=0)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    centred = np.divide(centred, length, out=np.zeros_like(centred), where=length > 0)
    near = min(count, len(images) - 1)
    values = np.empty(len(images))
    for start in range(0, len(images), 1024):
        rows = np.arange(start, min(start + 1024, len(images)))
        close = centred[rows] @ centred.T
        close[np.arange(len(rows)), rows] = -np.inf
        nearest = np.argsort(-close, axis=1, kind="stable")[:, :near]
        values[rows] = likely[nearest, best[rows][:, None]].mean(axis=1)
    return values
