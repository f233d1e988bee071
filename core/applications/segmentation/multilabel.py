"""Which labels an image holds, from one model's cosines and maps: recipes, rankings, mean average precision. No torch.

The multi-label part of CLIP Surgery (arXiv:2304.05653, table 8) was never released, so every recipe is named, all of
them are computed, and none is passed off as the authors'.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

RECIPES = {
    "cosine": "cosine of the whole image with the label",
    "softmax": "softmax over the labels of the cosines, at the model's own scale",
    "class_surgery": "cosine of the whole image minus what the labels share (feature surgery of the class token)",
    "best_place": "the highest value of the label's map",
}  # messages


def recognition_scores(
    cosines: NDArray[Any], whole: NDArray[Any], maps: NDArray[Any], scale: float
) -> dict[str, NDArray[np.float64]]:
    """The scores `(images, labels)` of every recipe.

    `cosines` `(images, labels)`, `whole` likewise after feature surgery, `maps` `(images, labels, rows, columns)`;
    `scale` is what the model multiplies cosines with.
    """
    cosines = np.asarray(cosines, np.float64)
    return {
        "cosine": cosines,
        "softmax": shares(cosines, scale),
        "class_surgery": np.asarray(whole, np.float64),
        "best_place": np.asarray(maps, np.float64).max(axis=(2, 3)),
    }


def shares(cosines: NDArray[Any], scale: float) -> NDArray[np.float64]:
    """The softmax over the last axis at `scale`."""
    powers = np.exp(scale * (cosines - cosines.max(axis=-1, keepdims=True)))
    result: NDArray[np.float64] = powers / powers.sum(axis=-1, keepdims=True)
    return result


def ranking(scores: NDArray[Any]) -> NDArray[np.int64]:
    """The place (from 1) of each label within its row of `scores` `(images, labels)`; ties keep the labels' order."""
    order = np.argsort(-np.asarray(scores), axis=1, kind="stable")
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(1, order.shape[1] + 1)[None], axis=1)
    return ranks


def average_precision(scores: NDArray[Any], truth: NDArray[Any]) -> float | None:
    """The mean, over the true images, of the precision among all images that score at least as high.

    `scores` and `truth` `(images,)`. Images of one score stand or fall together, so their order never matters. None
    if no image, or every image, is true: then nothing is ranked.
    """
    if not 0 < np.count_nonzero(truth) < len(truth):
        return None
    _, hits, true, every = _steps(scores, truth)
    return float((hits * true / every).sum() / hits.sum())


def left_out_precisions(scores: NDArray[Any], truth: NDArray[Any]) -> NDArray[np.float64]:
    """`average_precision` without each image in turn `(images,)`; NaN where it does not exist without that image.

    An image that goes changes only the counts from its own score downwards, so that sums over the scores above and
    below give all values at once.
    """
    own = np.asarray(truth, bool).astype(np.int64)
    at, hits, true, every = _steps(scores, truth)
    above = np.concatenate([[0.0], np.cumsum(hits * true / every)])[:-1]
    fewer = np.maximum(every - 1, 1)
    below, each = (_after(part / fewer) for part in (hits * true, hits))
    here = (hits[at] - own) * (true[at] - own) / fewer[at]
    left = hits.sum() - own
    whole = above[at] + here + below[at] - own * each[at]
    exists = (left > 0) & (left < len(own) - 1)
    return np.asarray(np.where(exists, whole / np.maximum(left, 1), np.nan), dtype=np.float64)


def _steps(scores: NDArray[Any], truth: NDArray[Any]) -> tuple[NDArray[np.int64], ...]:
    """Each image's step among the distinct scores, the highest first; true ones at each, true and all down to it."""
    distinct, step = np.unique(-np.asarray(scores, np.float64), return_inverse=True)
    hits = np.bincount(step, weights=np.asarray(truth, bool), minlength=len(distinct)).astype(np.int64)
    every = np.bincount(step, minlength=len(distinct))
    return step, hits, np.cumsum(hits), np.cumsum(every)


def _after(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sum of the values after each."""
    return np.asarray(np.cumsum(values[::-1])[::-1] - values, dtype=np.float64)


def mean_average_precision(scores: NDArray[Any], truth: NDArray[Any]) -> float | None:
    """The mean of `average_precision` over the labels `(images, labels)` for which it exists; None if for none."""
    found = [average_precision(scores[:, label], truth[:, label]) for label in range(scores.shape[1])]
    known = [value for value in found if value is not None]
    return float(np.mean(known)) if known else None


def left_out_means(scores: NDArray[Any], truth: NDArray[Any]) -> NDArray[np.float64]:
    """`mean_average_precision` without each image in turn, of the images without which it exists."""
    found = np.stack([left_out_precisions(scores[:, at], truth[:, at]) for at in range(scores.shape[1])], axis=1)
    count = np.isfinite(found).sum(axis=1)
    return np.asarray((np.nansum(found, axis=1)[count > 0] / count[count > 0]), dtype=np.float64)


def ranking_precision(scores: NDArray[Any], truth: NDArray[Any]) -> NDArray[np.float64]:
    """Each image's average precision over its labels `(images, labels)`, NaN where none or all are true.

    1 means that every true label is ranked before every other one.
    """
    found = [average_precision(scores[image], truth[image]) for image in range(len(scores))]
    return np.array([np.nan if value is None else value for value in found])
