"""Lays out the images of a run by the embeddings that all stages share, and measures how faithful the layout is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.applications.embedding_map.card import LayoutOptions
from core.applications.embedding_map.faithfulness import Faithfulness, compared, faithfulness
from core.applications.embedding_map.layout import (
    COMPONENTS,
    TSNE,
    Layout,
    components,
    layout,
    neighbours,
    one_thread,
)
from core.applications.embedding_map.layout import scaled as scaled_positions
from core.applications.embedding_map.record import RANDOM, LayoutRecord
from core.applications.work.subject import Subject, Tell, comparable
from core.statistics import mean_over_images
from core.statistics.intervals import SHARE

Floats = NDArray[np.float64]


def work(subject: Subject, options: LayoutOptions, out: Path, tell: Tell) -> None:
    """Lay out every image; write the record."""
    images = subject.images
    with subject.model.meter.measuring() as spent:
        embeddings = comparable(subject.embeddings(images, tell))
    seed = subject.run.plan.seed
    with one_thread():
        count = compared(len(images), options.neighbours)
        tell(f"embedding map: neighbours of {len(images)} images")
        near = neighbours(embeddings, max(count, int(3 * options.perplexity)))
        made = layout(
            embeddings,
            near,
            options.perplexity,
            options.steps,
            lambda step, steps: tell(f"embedding map: step {step} of {steps}"),
        )
        tell("embedding map: faithfulness")
        order = np.random.default_rng(seed).permutation(len(images))
        layouts = {made.method: made.positions}
        if made.method == TSNE:
            layouts[COMPONENTS] = scaled_positions(components(embeddings))
        layouts[RANDOM] = made.positions[order]
        measured = {name: faithfulness(embeddings, near, positions, count, seed) for name, positions in layouts.items()}
    LayoutRecord.write(
        out,
        _about(subject, options, made, count) | {"image_forwards": round(spent.image, 1)},
        {
            "points": pd.DataFrame(
                {
                    "image": [image.id for image in images],
                    "image_name": [image.name for image in images],
                    "x": made.positions[:, 0],
                    "y": made.positions[:, 1],
                    "preserved": measured[made.method].preserved,
                }
            ),
            "layouts": LayoutRecord.frame("layouts", _rows(measured, np.array([image.id for image in images]))),
        },
    )


def _about(subject: Subject, options: LayoutOptions, made: Layout, count: int) -> dict[str, Any]:
    return {
        "options": options.model_dump(mode="json"),
        "model": subject.model.title,
        "images": len(subject.images),
        "images_left_out": 0,
        "method": made.method,
        "perplexity": made.perplexity,
        "neighbours": count,
    }


def _rows(measured: dict[str, Faithfulness], images: NDArray[Any]) -> list[dict[str, Any]]:
    rows = []
    for name, values in measured.items():
        for measure in ("preserved", "trustworthiness"):
            got = mean_over_images(getattr(values, measure), images, within=SHARE)
            if got.n:
                rows.append(
                    {
                        "layout": name,
                        "measure": measure,
                        "value": got.value,
                        "low": got.low,
                        "high": got.high,
                        "n": got.n,
                    }
                )
    return rows
