"""Embeddings of images and of captions near them, and a record of their fit, for tests."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.applications.pairs.fit import caption_fit, fit_rows
from core.applications.pairs.record import PairsRecord

Floats = NDArray[np.float64]


def unit_rows(random: np.random.Generator, count: int, width: int = 12) -> Floats:
    """Random unit vectors `(count, width)`."""
    rows = random.normal(size=(count, width))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def pair_set(seed: int, images: int, each: int, noise: float) -> tuple[Floats, Floats, NDArray[np.int64], list[str]]:
    """Images, captions near the image that they belong to, the position of that image, and the captions' texts."""
    random = np.random.default_rng(seed)
    pixels = unit_rows(random, images)
    owner = np.repeat(np.arange(images), each)
    captions = pixels[owner] + noise * unit_rows(random, len(owner))
    captions /= np.linalg.norm(captions, axis=1, keepdims=True)
    return pixels, captions, owner, [f"caption {at}" for at in range(len(owner))]


def record_of(images: int, exchanged: int, noise: float = 0.9, seed: int = 0) -> PairsRecord:
    """A record of images with one caption each; the first `exchanged` captions are exchanged in a ring."""
    pixels, captions, owner, texts = pair_set(seed, images, 1, noise)
    if exchanged:
        captions[:exchanged] = np.roll(captions[:exchanged], 1, axis=0)
    fit = caption_fit(pixels, captions, owner, texts)
    frame = fit_rows(fit, owner, texts, [(f"id{at}", f"{at:03}.png") for at in range(images)])
    about = {
        "captions": images,
        "images": images,
        "without_captions": 0,
        "unrelated": fit.unrelated,
        "model": "a model",
    }
    return PairsRecord(about, frame, PairsRecord.frame("names"))
