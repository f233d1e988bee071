"""What an application works on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from core.attribution.kept import KeptCrops
from core.datasets import DatasetImage
from core.models.model import Model
from core.runs import Run

Tell = Callable[[str], None]
BATCH = 32


@dataclass(frozen=True)
class Subject:
    """What a stage works on: the loaded model, the run's images and texts, and what the methods left for it."""

    run: Run
    model: Model
    kept: KeptCrops = field(default_factory=KeptCrops)
    _embedded: dict[str, NDArray[np.float64]] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def images(self) -> tuple[DatasetImage, ...]:
        """The images of the plan, in its order."""
        known = {entry.id: entry for entry in self.run.dataset.images}
        return tuple(known[image] for image in self.run.plan.images)

    def open(self, image: DatasetImage) -> Image.Image:
        """The pixels of an image, RGB."""
        return self.run.dataset.open(image)

    def embeddings(self, images: Sequence[DatasetImage], tell: Tell) -> NDArray[np.float64]:
        """Unit embeddings `(images, embedding)` of whole images, shared by all stages: an image is embedded once."""
        missing = [image for image in images if image.id not in self._embedded]
        for start in range(0, len(missing), BATCH):
            some = missing[start : start + BATCH]
            tell(f"embeddings: {start + len(some)} of {len(missing)} images")
            pixels, _ = self.model.preprocess([self.open(image) for image in some])
            with torch.no_grad():
                rows = self.model.embed_images(pixels).double().cpu().numpy()
            self._embedded.update({image.id: row for image, row in zip(some, rows, strict=True)})
        return np.stack([self._embedded[image.id] for image in images])

    @property
    def embedded(self) -> list[str]:
        """The ids of the images embedded so far, in that order."""
        return list(self._embedded)

    def texts(self, image: DatasetImage) -> list[str]:
        """The captions and prompts that the plan explains this image with, each once."""
        plan = self.run.plan.texts
        captions = image.captions[: plan.captions_each] if plan.captions else ()
        return list(dict.fromkeys([*captions, *plan.prompts]))


def comparable(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Embeddings as they are; stored scores, which are no unit vectors, less their mean and of unit length."""
    if np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-3):
        return rows
    centred = rows - rows.mean(axis=0)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.divide(centred, length, out=np.zeros_like(centred), where=length > 0)
