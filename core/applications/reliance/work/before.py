"""What is known of all images before the first one is measured: their foregrounds and their texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from core.applications.reliance.card import RelianceOptions
from core.applications.reliance.work.texts import Bank
from core.applications.work.subject import Subject, Tell
from core.applications.work.visual_concepts import foreground
from core.attribution.contract import Work
from core.attribution.regions import can_be_semantic, place_features, regions_of, semantic_labels
from core.datasets import DatasetImage
from core.models.trunk import ImageTrunk, TextTrunk

Masks = NDArray[np.bool_]


@dataclass(frozen=True)
class Ahead:
    """What one forward pass of each image shows: features `(images, places, width)` and foregrounds `(images, rows,
    columns)`, a singular vector of all images; None where the model does not show its features at places.
    """

    features: NDArray[np.float32] | None = None
    fronts: Masks | None = None

    def front(self, at: int) -> Masks | None:
        """The foreground of image `at`."""
        return None if self.fronts is None else self.fronts[at]

    def regions(self, at: int, work: Work, count: int) -> list[Masks]:
        """The regions of image `at`, at most `count`, without another forward pass where its features are known."""
        if self.features is None or self.fronts is None:
            cut = regions_of(work, 0, "auto", count).cells.argmax(dim=0).numpy()
        else:
            features = self.features[at].astype(np.float64)
            rows, columns = self.fronts.shape[1:]
            cut = semantic_labels(features, (rows, columns), count).numpy()
        return [cut == each for each in np.unique(cut)]


def seen_ahead(subject: Subject, images: Sequence[DatasetImage], tell: Tell) -> Ahead:
    """One forward pass of each image, for its foreground and its regions."""
    if not can_be_semantic(subject.model):
        return Ahead()
    features, grid = [], (1, 1)
    for number, image in enumerate(images, start=1):
        pixels, _ = subject.model.preprocess([subject.open(image)])
        one = Work(subject.model, ImageTrunk(subject.model, pixels), TextTrunk(subject.model, [""]))
        found, grid = place_features(one, 0)
        features.append(found.astype(np.float32))
        tell(f"reliance: reading image {number} of {len(images)}")
    every = np.stack(features)
    return Ahead(every, foreground(every, grid).masks)


def texts_of(
    subject: Subject, bank: Bank, options: RelianceOptions, images: Sequence[DatasetImage]
) -> list[list[tuple[str, str]]]:
    """The texts, with their kinds, that each image will be measured with, by its shared embedding."""
    plan = subject.run.plan.texts
    vectors = torch.from_numpy(subject.embeddings(subject.images, lambda line: None))
    place = {image.id: at for at, image in enumerate(subject.images)}
    found = []
    for image in images:
        captions = image.captions[: plan.captions_each] if plan.captions else ()
        whole = vectors[place[image.id]].to(bank.all_embeddings)
        pairs = bank.pairs(whole, captions, plan.prompts, max(plan.top_classes, 1), options.texts)
        found.append([(pair.text, pair.kind) for pair in pairs])
    return found
