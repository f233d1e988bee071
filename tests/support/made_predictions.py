"""Records of predictions without a model: a share of right, stable ones and a share of planted wrong ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.applications.predictions.record import PredictionsRecord
from core.applications.predictions.score import frame_of
from core.applications.predictions.signals import Signals
from core.concepts.mentions import ClassNames
from core.datasets import DatasetImage

CLASSES = ("dog", "cat", "giraffe", "elephant", "raccoon", "panda", "boat", "car")


def dataset_image(image: str, name: str, *captions: str) -> DatasetImage:
    """An image of a dataset that is not stored."""
    return DatasetImage(
        id=image, name=name, width=64, height=64, captions=captions, metadata={}, format="PNG", bytes=1, sha256="0" * 64
    )


def record_of(images: int, wrong: int, *, captions: bool = True, ids: Sequence[str] = ()) -> PredictionsRecord:
    """A record of `images`, of which the first `wrong` are predicted as a class that their caption does not name.

    Wrong predictions have a small lead and change under disturbances; right ones are clear and stable.
    """
    at = np.arange(images)
    true = at % len(CLASSES)
    is_wrong = at < wrong
    best = np.where(is_wrong, (true + 1) % len(CLASSES), true)
    copies = np.tile(best[:, None], (1, 4))
    copies[is_wrong, :2] = true[is_wrong, None]
    values = Signals(
        best=best,
        second=np.where(is_wrong, true, (true + 1) % len(CLASSES)),
        similarity=np.full(images, 0.25),
        margin=np.where(is_wrong, 0.1, 1.6),
        probability=np.where(is_wrong, 0.3, 0.95),
        entropy=np.where(is_wrong, 0.8, 0.1),
        templates=np.where(is_wrong, 0.4, 1.0),
        disturbances=np.where(is_wrong, 0.5, 1.0),
        disturbed=copies,
        neighbours=np.where(is_wrong, 0.1, 0.7),
    )
    named = [
        dataset_image(
            ids[number % len(ids)] if ids else f"{number:016x}",
            f"{number:03}.png",
            *([f"a {CLASSES[kind]} in the open"] if captions else []),
        )
        for number, kind in enumerate(true.tolist())
    ]
    about = {
        "images": images,
        "classes": list(CLASSES),
        "kind": "classes",
        "disturbances": ["mirrored", "cropped", "blurred", "darker"],
        "model": "a model",
        "image_forwards": 5.0 * images,
    }
    return PredictionsRecord(about, frame_of(values, ClassNames(CLASSES), named))
