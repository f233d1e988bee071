"""Images as words (SpLiCE): which few names rebuild an image's embedding, and how much they leave."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from core.concepts.glosses import embed_names
from core.concepts.graph import ConceptGraph
from core.concepts.splice import LEAST_IMAGES, Rebuilt, rebuild
from core.concepts.vocabulary import vocabulary
from core.models.model import Model

COLUMNS = ("image", "image_name", "cosine", "whole", "mean_alone", "words", "weights")


def rebuild_images(
    model: Model, images: Any, graph: ConceptGraph | None = None, *, penalty: float = 0.2
) -> tuple[list[str], Rebuilt]:
    """The names of `graph` (the everyday vocabulary unless given), and `images` written as them.

    `images` are what `explain` takes; their own mean is taken off, so give many, of different things. Costs a forward
    an image, and one a name the first time. Raises `InputError` for fewer than two images.
    """
    names = names_of(graph if graph is not None else vocabulary())
    pixels, _ = model.preprocess(images)
    with torch.no_grad():
        embedded = model.embed_images(pixels).cpu().numpy()
    return names, rebuild(embedded, embed_names(model, names), penalty)


def names_of(graph: ConceptGraph) -> list[str]:
    """The titles of the listed concepts, each once, in the graph's order."""
    return list(dict.fromkeys(graph.concepts[int(at)].title for at in graph.listed))


def rebuilt_frame(
    model: Model, graph: ConceptGraph, images: pd.DataFrame, embeddings: NDArray[np.float32], penalty: float
) -> pd.DataFrame:
    """A row an image of `images` (image, image_name): `COLUMNS`, heaviest words first. None for a single image."""
    names = names_of(graph)
    if len(images) < LEAST_IMAGES or len(names) < 2:
        return pd.DataFrame(columns=list(COLUMNS))
    found = rebuild(embeddings, embed_names(model, names), penalty)
    rows = []
    for at, image in enumerate(images.itertuples()):
        words, weights = heaviest(names, found.weights[at])
        told = (found.cosine[at], found.whole[at], found.mean_alone[at])
        rows.append((image.image, image.image_name, *(float(value) for value in told), words, weights))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def heaviest(names: Sequence[str], weights: NDArray[np.float64]) -> tuple[list[str], list[float]]:
    """The words with any weight, heaviest first, and their weights."""
    order = [int(at) for at in np.argsort(-weights, kind="stable") if weights[at] > 0]
    return [names[at] for at in order], [float(weights[at]) for at in order]
