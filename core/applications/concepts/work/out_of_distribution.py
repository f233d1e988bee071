"""Which images don't show what they should: the fit of an image with the leaves below a declared concept.

The score is the highest cosine of the image with the gloss of any leaf below the concept; a low one says that the
image is out of distribution. `texts="lemmas"` takes the words of a leaf in place of its gloss, as the release's
ablation does. Comparators are the gloss of the concept itself, and the largest logit and the largest probability among
classes that the caller names (Hendrycks et al., ICML 2022; Ming et al., NeurIPS 2022), which need no concept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from core.concepts.glosses import embed_glosses, embed_names
from core.concepts.graph import ConceptGraph
from core.concepts.vocabulary import vocabulary
from core.concepts.wordnet import below
from core.errors import InputError
from core.models.model import Model
from core.models.trunk import TextTrunk
from core.statistics import auroc_bounds

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif")
# What of a concept a model reads.
Texts = Literal["glosses", "lemmas"]
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
    """How well images fit a declared concept, `(images,)`: `scores` by its leaves, `naive` by its own gloss."""

    synset: str
    leaves: tuple[str, ...]
    scores: NDArray[np.float32]
    naive: NDArray[np.float32]


@dataclass(frozen=True)
class ClassFit:
    """How well images fit a list of classes, `(images,)`.

    `logit` is the largest cosine with a class times the model's scale, `share` the largest probability among classes.
    """

    logit: NDArray[np.float32]
    share: NDArray[np.float32]


@dataclass(frozen=True)
class Auroc:
    """The chance that an image from inside scores higher than one from outside, with its 95 % interval (Newcombe).

    `low` and `high` are None if either side has too few images (`core.statistics.two_samples.FEWEST_SIDE`).
    """

    value: float
    low: float | None
    high: float | None
    inside: int
    outside: int


@dataclass(frozen=True)
class Separation:
    """Two sets of images told apart by their fit with a concept."""

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
    texts: Texts = "glosses",
) -> Fit:
    """How well each image fits the declared concept `synset`; a low score says out of distribution.

    Leaves are those of `graph` (the everyday vocabulary unless given) or, with `leaves="wordnet"`, of all that WordNet
    has below the concept. `texts` says what of a concept the model reads. Raises `InputError` if the graph doesn't have
    it.
    """
    found = below(synset) if leaves == "wordnet" else graph if graph is not None else vocabulary()
    positions = leaf_positions(found, synset)
    glosses = embed_concepts(model, found, texts)
    whole = _embedded(model, images)
    names = tuple(found.concepts[at].name for at in positions)
    naive = fit_scores(whole, glosses[[found.position(synset)]])
    return Fit(synset, names, fit_scores(whole, glosses[positions]), naive)


def embed_concepts(model: Model, graph: ConceptGraph, texts: Texts = "glosses") -> NDArray[np.float32]:
    """Unit embeddings `(concepts, embedding)` of the glosses, or of the words of each concept joined by commas.

    A concept of which no word is known is read by its title.
    """
    if texts == "glosses":
        return embed_glosses(model, graph)
    return embed_names(model, [", ".join(concept.lemmas) or concept.title for concept in graph.concepts])


def fit_classes(
    model: Model, images: Any, classes: Sequence[str], *, templates: Sequence[str] | None = None
) -> ClassFit:
    """How well each image fits the nearest of two or more classes, whatever lies outside; low is out of distribution.

    Raises `InputError` for fewer classes.
    """
    if len(set(classes)) < 2:
        raise InputError("give two or more classes: the largest of one has nothing to be compared with")
    names = TextTrunk(model, list(dict.fromkeys(classes)), templates)
    with torch.no_grad():
        return class_scores(_embedded(model, images), names.embeddings.cpu().numpy(), float(model.logit_scale))


def class_scores(whole: NDArray[Any], classes: NDArray[Any], scale: float) -> ClassFit:
    """`ClassFit` of unit embeddings of images `(images, embedding)` and classes `(classes, embedding)`."""
    logits = scale * (np.asarray(whole, np.float64) @ np.asarray(classes, np.float64).T)
    highest = logits.max(axis=1)
    share = 1 / np.exp(logits - highest[:, None]).sum(axis=1)
    return ClassFit(highest.astype(np.float32), share.astype(np.float32))


def separate(model: Model, inside: Any, outside: Any, synset: str, **options: Any) -> Separation:
    """Tell two sets of images, or folders of them, apart by their fit with `synset`; `options` are those of `fit`."""
    ins, outs = (fit(model, _images(images), synset, **options) for images in (inside, outside))
    return Separation(ins, outs, auroc(ins.scores, outs.scores), auroc(ins.naive, outs.naive))


def leaf_positions(graph: ConceptGraph, synset: str) -> NDArray[np.intp]:
    """The leaves below a concept, itself if nothing is. Raises `InputError` with advice if the graph lacks it."""
    if synset not in graph.positions:
        raise InputError(
            f'{synset!r} is not among the {len(graph)} concepts of this vocabulary; use leaves="wordnet", or a '
            "vocabulary that contains it"
        )
    return graph.leaves(graph.position(synset))


def fit_scores(whole: NDArray[Any], glosses: NDArray[Any]) -> NDArray[np.float32]:
    """The highest cosine of each image `(images, embedding)` with any of the glosses; both are unit vectors."""
    return (np.asarray(whole, np.float32) @ np.asarray(glosses, np.float32).T).max(axis=1)


def auroc(inside: NDArray[Any], outside: NDArray[Any]) -> Auroc:
    """The exact area under the curve (pairs won, ties half) of scores that should be higher inside.

    Raises `InputError` if a side is empty.
    """
    ins, outs = np.asarray(inside, np.float64), np.asarray(outside, np.float64)
    if not len(ins) or not len(outs):
        raise InputError("an area under the curve needs images on both sides")
    won = (ins[:, None] > outs[None, :]) + 0.5 * (ins[:, None] == outs[None, :])
    value = float(won.mean())
    low, high = auroc_bounds(value, len(ins), len(outs)) or (None, None)
    return Auroc(value, low, high, len(ins), len(outs))


def _embedded(model: Model, images: Any) -> NDArray[np.float32]:
    with torch.no_grad():
        pixels, _ = model.preprocess(images)
        return np.asarray(model.embed_images(pixels).cpu().numpy(), dtype=np.float32)


def _images(images: Any) -> Any:
    if not isinstance(images, str | Path):
        return images
    folder = Path(images)
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder of images")
    found: Sequence[Path] = sorted(path for path in folder.iterdir() if path.suffix.lower() in ENDINGS)
    if not found:
        raise InputError(f"{folder} contains no image ({', '.join(ENDINGS)})")
    return found
