"""A record of the embedding map without a model, for a made run."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from core.applications.embedding_map.card import CARD
from core.applications.embedding_map.layout import TSNE
from core.applications.embedding_map.record import RANDOM, LayoutRecord
from core.runs import Run


def write_layout(run: Run, places: NDArray[Any], *, perplexity: float, neighbours: int) -> LayoutRecord:
    """A layout with the run's images at `places` `(images, 2)`, in their order, and its record in the run."""
    images = run.dataset.images
    points = [
        {"image": image.id, "image_name": image.name, "x": float(x), "y": float(y), "preserved": 0.5}
        for image, (x, y) in zip(images, places, strict=True)
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
    about = {"options": CARD.parse().model_dump(mode="json"), "model": "a model", "method": TSNE}
    about |= {"perplexity": perplexity, "images": len(images), "images_left_out": 0, "neighbours": neighbours}
    about |= {"image_forwards": 0.0}
    record = LayoutRecord(about, LayoutRecord.frame("points", points), LayoutRecord.frame("layouts", layouts))
    record.save(LayoutRecord.folder_of(run))
    return record
