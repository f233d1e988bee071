"""A record of the embedding map without a model, for a made run."""

from __future__ import annotations

import numpy as np

from benchmarks.support import made_layout
from core.applications.embedding_map.record import LayoutRecord
from core.runs import Run


def write_layout(run: Run) -> LayoutRecord:
    """A layout of the run's images on a circle, in the order of their names, and its record in the run."""
    count = len(run.dataset.images)
    angle = 2 * np.pi * np.arange(count) / count
    places = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return made_layout.write_layout(run, places, perplexity=3.0, neighbours=1)
