"""How well each caption fits its image, beside captions and images that do not belong together. No torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.characters import folded

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
# Captions that are compared with all images at a time, and unrelated pairs whose fit is kept at most.
CHUNK, MOST_UNRELATED = 512, 1_000_000


@dataclass(frozen=True)
class Fit:
    """One value for each caption.

    similarity: the cosine of the caption and its image.
    fit: the similarity in standard deviations of unrelated pairs, the mean of two: over the images that do not belong
        to the caption, and over the captions that do not belong to its image.
    unrelated_share: the share of unrelated pairs that fit at least as well; uniform for a caption that belongs to no
        image in particular, near 0 for one that fits.
    image_rank, caption_rank: the rank of the image among all images for the caption, and of the caption among all
        captions for the image; 1 is the best.
    best_image: the position of the best unrelated image.
    unrelated: how many unrelated pairs `unrelated_share` rests on.
    """

    similarity: Floats
    fit: Floats
    unrelated_share: Floats
    image_rank: Whole
    caption_rank: Whole
    best_image: Whole
    unrelated: int


def caption_fit(images: Floats, captions: Floats, owner: Whole, texts: Sequence[str], seed: int = 0) -> Fit:
    """The fit of captions `(captions, embedding)` with their images `(images, embedding)`, all unit vectors.

    `owner` (captions,) is the position of each caption's image. Two are unrelated where the image has no caption of
    the same text. Raises `ValueError` where a caption or an image has no two unrelated ones.
    """
    belongs = _images_by_text(owner, texts)
    count, width = len(captions), len(images)
    row_mean, row_spread = np.empty(count), np.empty(count)
    sums, squares, known = np.zeros(width), np.zeros(width), np.zeros(width)
    for rows, scores, unrelated in _blocks(images, captions, texts, belongs):
        each = unrelated.sum(axis=1)
        if each.min(initial=2) < 2:
            raise ValueError("a caption belongs to all images but one")
        values = np.where(unrelated, scores, 0.0)
        row_mean[rows] = values.sum(axis=1) / each
        row_spread[rows] = np.sqrt((np.where(unrelated, scores - row_mean[rows, None], 0.0) ** 2).sum(axis=1) / each)
        sums += values.sum(axis=0)
        squares += (values**2).sum(axis=0)
        known += unrelated.sum(axis=0)
    if known.min(initial=2) < 2:
        raise ValueError("an image belongs to all captions but one")
    column_mean = sums / known
    column_spread = np.sqrt(np.maximum(squares / known - column_mean**2, 0.0))
    at = np.arange(count)
    own = np.einsum("cd,cd->c", captions, images[owner])
    fit = _scaled(own, row_mean, row_spread, column_mean[owner], column_spread[owner])
    keep = min(1.0, MOST_UNRELATED / (count * width))
    random = np.random.default_rng(seed)
    pools, image_rank, caption_rank = [], np.ones(count, np.int64), np.ones(count, np.int64)
    best = np.empty(count, np.int64)
    for rows, scores, unrelated in _blocks(images, captions, texts, belongs):
        standard = _scaled(scores, row_mean[rows, None], row_spread[rows, None], column_mean[None], column_spread[None])
        chosen = unrelated if keep == 1.0 else unrelated & (random.random(unrelated.shape) < keep)
        pools.append(standard[chosen])
        image_rank[rows] += (unrelated & (scores > own[rows, None])).sum(axis=1)
        best[rows] = np.where(unrelated, scores, -np.inf).argmax(axis=1)
        # For each caption, how many unrelated captions of this block its image prefers.
        caption_rank[at] += (unrelated[:, owner] & (scores[:, owner] > own[None])).sum(axis=0)
    pool = np.sort(np.concatenate(pools))
    above = len(pool) - np.searchsorted(pool, fit, side="left")
    return Fit(own, fit, (1 + above) / (1 + len(pool)), image_rank, caption_rank, best, len(pool))


def fit_rows(fit: Fit, owner: Whole, texts: Sequence[str], images: Sequence[tuple[str, str]]) -> pd.DataFrame:
    """The fit as the table of the record, one row per caption; `images` holds the id and the name of each image."""
    own, best = ([images[at] for at in positions] for positions in (owner, fit.best_image))
    return pd.DataFrame(
        {
            "image": [image for image, _ in own],
            "image_name": [name for _, name in own],
            "caption": list(texts),
            "similarity": fit.similarity,
            "fit": fit.fit,
            "unrelated_share": fit.unrelated_share,
            "image_rank": fit.image_rank,
            "caption_rank": fit.caption_rank,
            "best_image": [image for image, _ in best],
            "best_image_name": [name for _, name in best],
        }
    )


def _scaled(scores: Floats, row_mean: Floats, row_spread: Floats, mean: Floats, spread: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        by_row, by_column = (scores - row_mean) / row_spread, (scores - mean) / spread
    result: Floats = (np.nan_to_num(by_row, posinf=0, neginf=0) + np.nan_to_num(by_column, posinf=0, neginf=0)) / 2
    return result


def _images_by_text(owner: Whole, texts: Sequence[str]) -> dict[str, list[int]]:
    belongs: dict[str, list[int]] = {}
    for image, text in zip(owner.tolist(), texts, strict=True):
        belongs.setdefault(folded(text), []).append(image)
    return belongs


def _blocks(
    images: Floats, captions: Floats, texts: Sequence[str], belongs: dict[str, list[int]]
) -> Iterator[tuple[Whole, Floats, NDArray[np.bool_]]]:
    """Positions of captions, their similarities `(captions, images)`, and which pairs are unrelated."""
    for start in range(0, len(captions), CHUNK):
        rows = np.arange(start, min(start + CHUNK, len(captions)))
        unrelated = np.ones((len(rows), len(images)), dtype=bool)
        for line, row in enumerate(rows.tolist()):
            unrelated[line, belongs[folded(texts[row])]] = False
        yield rows, captions[rows] @ images.T, unrelated
