"""Which texts are an image's own, and which belong to other images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment

from core.applications.work.subject import Subject
from core.characters import folded
from core.datasets import DatasetImage


def with_texts(subject: Subject) -> tuple[DatasetImage, ...]:
    """The images that may have a text of their own: those with captions, where the plan uses any; otherwise all."""
    captioned = tuple(image for image in subject.images if image.captions)
    return captioned if subject.run.plan.texts.captions and captioned else subject.images


def own_texts(subject: Subject, images: Sequence[DatasetImage]) -> tuple[dict[str, list[str]], str]:
    """For some of `with_texts` the texts that are their own, the one to measure first, and how they were chosen.

    Captions are an image's own. Without captions it is the prompt or class that the model itself ranks first.
    """
    plan = subject.run.plan.texts
    if plan.captions and any(image.captions for image in images):
        return {image.id: list(image.captions) for image in images if image.captions}, "captions"
    candidates = list(dict.fromkeys([*plan.prompts, *(plan.templates[0].format(name) for name in plan.classes)]))
    if len(candidates) < 2:
        return {}, "the model's choice"
    known = subject.model.embed_texts(candidates)
    chosen = {}
    for image in images:
        pixels, _ = subject.model.preprocess([subject.open(image)])
        with torch.no_grad():
            chosen[image.id] = [candidates[int((subject.model.embed_images(pixels) @ known.T).argmax())]]
    return chosen, "the model's choice"


def wrong_texts(own: dict[str, list[str]], count: int, seed: int) -> dict[str, list[str]]:
    """For each image up to `count` first texts of other images, none of them one of its own.

    Each round is a derangement drawn with `seed`: every text is used once, as far as that is possible; an image that
    it leaves over gets any text that isn't its own.
    """
    images, firsts = list(own), [texts[0] for texts in own.values()]
    mine = [{folded(text) for text in texts} for texts in own.values()]
    barred = np.array([[folded(text) in taken for text in firsts] for taken in mine], dtype=bool).reshape(
        len(own), len(own)
    )
    random = np.random.default_rng(seed)
    found: dict[str, list[str]] = {image: [] for image in images}
    for _ in range(count):
        draws = random.random(barred.shape)
        # A barred text costs more than all others together, so it is taken only where no derangement exists.
        _, columns = linear_sum_assignment(draws + barred * (len(own) + 1.0))
        for row, column in enumerate(columns):
            if barred[row, column]:
                column = int(np.where(barred[row], np.inf, draws[row]).argmin())
            if not barred[row, column]:
                found[images[row]].append(firsts[column])
                barred[row] |= [folded(text) == folded(firsts[column]) for text in firsts]
    return found
