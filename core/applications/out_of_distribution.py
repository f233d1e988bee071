"""Which pictures don't show what they should: the fit of a picture with the leaves below a declared concept.

The score is the highest cosine of the picture with the gloss of any leaf below the concept; a low one says that the
picture is out of distribution. The comparator is the gloss of the concept itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from core.concepts.glosses import embed_glosses
from core.concepts.graph import ConceptGraph
from core.concepts.vocabulary import vocabulary
from core.concepts.wordnet import below
from core.errors import InputError
from core.models.model import Model
from core.statistics import auroc_bounds

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif")
# The published comparisons: in distribution, out of distribution.
PUBLISHED_PAIRS = (
    ("garment.n.01", "furniture.n.01"),
    ("bird.n.01", "hunting_dog.n.01"),
    ("spider.n.01", "butterfly.n.01"),
    ("ungulate.n.01", "bear.n.01"),
    ("edible_fruit.n.01", "musical_instrument.n.01"),
    ("aircraft.n.01", "vessel.n.02"),
)


@dataclass(frozen=True)
class Fit:
    """How well pictures fit a declared concept, `(pictures,)`: `scores` by its leaves, `naive` by its own gloss."""

    synset: str
    leaves: tuple[str, ...]
    scores: NDArray[np.float32]
    naive: NDArray[np.float32]


@dataclass(frozen=True)
class Auroc:
    """The chance that a picture from inside scores higher than one from outside, with its 95 % interval (Newcombe).

    `low` and `high` are None if either side has too few images (`core.statistics.two_samples.FEWEST_SIDE`).
    """

    value: float
    low: float | None
    high: float | None
    inside: int
    outside: int


@dataclass(frozen=True)
class Separation:
    """Two sets of pictures told apart by their fit with a concept."""

    inside: Fit
    outside: Fit
    auroc: Auroc
    naive: Auroc


def fit(
    model: Model,
    images: Any,
    synset: str,
    *,
    graph: ConceptGraph | None = None,
    leaves: Literal["vocabulary", "wordnet"] = "vocabulary",
) -> Fit:
    """How well each picture fits the declared concept `synset`; a low score says out of distribution.

    Leaves are those of `graph` (the everyday vocabulary unless given) or, with `leaves="wordnet"`, of all that WordNet
    has below the concept. Raises `InputError` if the graph doesn't have it.
    """
    found = below(synset) if leaves == "wordnet" else graph if graph is not None else vocabulary()
    positions = leaf_positions(found, synset)
    glosses = embed_glosses(model, found)
    with torch.no_grad():
        pixels, _ = model.preprocess(images)
        whole = model.embed_images(pixels).cpu().numpy()
    names = tuple(found.concepts[at].name for at in positions)
    naive = fit_scores(whole, glosses[[found.position(synset)]])
    return Fit(synset, names, fit_scores(whole, glosses[positions]), naive)


def separate(model: Model, inside: Any, outside: Any, synset: str, **options: Any) -> Separation:
    """Tell two sets of pictures, or folders of them, apart by their fit with `synset`; `options` are those of `fit`."""
    ins, outs = (fit(model, _pictures(images), synset, **options) for images in (inside, outside))
    return Separation(ins, outs, auroc(ins.scores, outs.scores), auroc(ins.naive, outs.naive))


def leaf_positions(graph: ConceptGraph, synset: str) -> NDArray[np.intp]:
    """The leaves below a concept, itself if nothing is. Raises `InputError` with advice if the graph lacks it."""
    if synset not in graph.positions:
        raise InputError(
            f"{synset!r} is not among the {len(graph)} concepts of this vocabulary; "
            'take leaves="wordnet", or a vocabulary that has it'
        )
    return graph.leaves(graph.position(synset))


def fit_scores(whole: NDArray[Any], glosses: NDArray[Any]) -> NDArray[np.float32]:
    """The highest cosine of each picture `(pictures, embedding)` with any of the glosses; both are unit vectors."""
    return (np.asarray(whole, np.float32) @ np.asarray(glosses, np.float32).T).max(axis=1)


def auroc(inside: NDArray[Any], outside: NDArray[Any]) -> Auroc:
    """The exact area under the curve (pairs won, ties half) of scores that should be higher inside.

    Raises `InputError` if a side is empty.
    """
    ins, outs = np.asarray(inside, np.float64), np.asarray(outside, np.float64)
    if not len(ins) or not len(outs):
        raise InputError("an area under the curve needs pictures on both sides")
    won = (ins[:, None] > outs[None, :]) + 0.5 * (ins[:, None] == outs[None, :])
    value = float(won.mean())
    low, high = auroc_bounds(value, len(ins), len(outs)) or (None, None)
    return Auroc(value, low, high, len(ins), len(outs))


def _pictures(images: Any) -> Any:
    if not isinstance(images, str | Path):
        return images
    folder = Path(images)
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder of pictures")
    found: Sequence[Path] = sorted(path for path in folder.iterdir() if path.suffix.lower() in ENDINGS)
    if not found:
        raise InputError(f"{folder} holds no picture ({', '.join(ENDINGS)})")
    return found
