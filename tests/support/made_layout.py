"""A record of the embedding map without a model, for a made run."""

from __future__ import annotations

import numpy as np

from core.applications.embedding_map.card import CARD
from core.applications.embedding_map.layout import RANDOM, TSNE
from core.applications.embedding_map.record import LayoutRecord
from core.runs import Run


def write_layout(run: Run) -> LayoutRecord:
    """A layout of the run's images on a circle, in the order of their names, and its record in the run."""
    images = run.dataset.images
    angle = 2 * np.pi * np.arange(len(images)) / len(images)
    points = [
        {
            "image": image.id,
            "image_name": image.name,
            "x": float(np.cos(at)),
            "y": float(np.sin(at)),
            "preserved": 0.5,
        }
        for image, at in zip(images, angle, strict=True)
    ]
    layouts = [
        {
            "layout": layout,
            "measure": measure,
            "value": value,
            "low": value - 0.1,
            "high": value + 0.1,
            "n": len(images),
        }
        for layout, value in ((TSNE, 0.6), (RANDOM, 0.2))
        for measure in ("preserved", "trustworthiness")
    ]
    about = {"options": CARD.parse().model_dump(mode="json"), "model": "a model", "method": TSNE, "perplexity": 3.0}
    about |= {"images": len(images), "images_left_out": 0, "neighbours": 1, "image_forwards": 0.0}
    record = LayoutRecord(about, LayoutRecord.frame("points", points), LayoutRecord.frame("layouts", layouts))
    record.save(LayoutRecord.folder_of(run))
    return record
