"""Concept maps of a data set: crops embedded once, every concept afterwards a matrix product (ConVis)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from core.applications.concepts.card import ConceptsOptions
from core.applications.concepts.record import ConceptRecord
from core.applications.concepts.work.out_of_distribution import fit_scores, leaf_positions
from core.applications.concepts.work.splice import rebuilt_frame
from core.applications.work.subject import Subject, Tell
from core.attribution.contract import image_key
from core.attribution.convis import embed_crops
from core.concepts.glosses import embed_glosses
from core.concepts.graph import ConceptGraph
from core.concepts.lattice import PRESETS, Lattice, Preset, Weighting
from core.concepts.relevance import ConceptMap, ConceptScores, all_scores, concept_map, similarities, unit
from core.concepts.vocabulary import vocabulary
from core.concepts.wordnet import below
from core.models.geometry import Geometry
from core.models.model import Model

TOP = 20


@dataclass(frozen=True)
class EmbeddedImages:
    """Images as ConVis needs them: unit embeddings of their crops `(images, crops, embedding)` and of themselves.

    `glosses` are those of `graph`; any concept's map follows without the model.
    """

    graph: ConceptGraph
    lattice: Lattice
    weighting: Weighting
    crops: NDArray[np.float32]
    whole: NDArray[np.float32]
    glosses: NDArray[np.float32]
    geometry: list[Geometry]

    def maps(self, concept: str) -> list[ConceptMap]:
        """The map of one concept over each image. Raises `InputError` for a concept the graph doesn't have."""
        members = self.graph.members(self.graph.position(concept))
        return [
            concept_map(similarities(crops, self.glosses), members, self.lattice, self.weighting)
            for crops in self.crops
        ]

    def scores(self) -> list[ConceptScores]:
        """The absolute scores of every concept for each image."""
        return [
            all_scores(similarities(crops, self.glosses), self.graph, self.lattice, self.weighting)
            for crops in self.crops
        ]


def embed_images(
    model: Model,
    images: Any,
    graph: ConceptGraph | None = None,
    *,
    preset: Preset = "exact",
    weighting: Weighting = "sum",
    noise_seed: int | None = None,
) -> EmbeddedImages:
    """Embed images, their crops and the glosses of `graph` (the everyday vocabulary unless given).

    `images` are what `explain` takes. The margin has the mean colour, or noise from `noise_seed`. Costs 731 image
    forwards an image (165 with `preset="fast"`).
    """
    graph = graph if graph is not None else vocabulary()
    lattice = PRESETS[preset]
    pixels, geometry = model.preprocess(images)
    with torch.no_grad():
        whole = model.embed_images(pixels)
    crops = [embed_crops(model, each, lattice, _noise(noise_seed, at)) for at, each in enumerate(pixels)]
    return EmbeddedImages(
        graph, lattice, weighting, _array(torch.stack(crops)), _array(whole), embed_glosses(model, graph), geometry
    )


def concept_maps(model: Model, images: Any, concepts: Sequence[str], **options: Any) -> list[list[ConceptMap]]:
    """The maps of each concept (synset names like `dog.n.01`) over each image: `[concept][image]`.

    `options` are those of `embed_images`.
    """
    embedded = embed_images(model, images, **options)
    return [embedded.maps(concept) for concept in concepts]


def work(subject: Subject, options: ConceptsOptions, out: Path, tell: Tell) -> None:
    """The stage of an audit. Writes what `core.applications.concepts.record` reads."""
    model, images, lattice = subject.model, subject.images, PRESETS[options.preset]
    graph = vocabulary(options.vocabulary, options.own, options.size)
    with model.meter.measuring() as spent:
        tell(f"reading the glosses of {len(graph):,} concepts")
        glosses = embed_glosses(model, graph)
        shape = (len(images), len(lattice), glosses.shape[1])
        stored = open_memmap(out / "crops.npy", mode="w+", dtype=np.float16, shape=shape)
        whole = np.empty((len(images), glosses.shape[1]), dtype=np.float32)
        scores: list[ConceptScores] = []
        kept = glosses.astype(np.float16)
        seed = subject.run.plan.seed if options.margin == "noise" else None
        for at, image in enumerate(images):
            tell(f"concepts: image {at + 1} of {len(images)}")
            pixels, _ = model.preprocess(subject.open(image))
            with torch.no_grad():
                whole[at] = _array(model.embed_images(pixels))[0]
            crops = subject.kept.crops(image_key(pixels[0]), options.preset) if seed is None else None
            if crops is None:
                crops = embed_crops(model, pixels[0], lattice, _noise(seed, at))
            stored[at] = _array(crops).astype(np.float16)
            # Scores come from what is stored, so that they agree with every map that is drawn from it.
            cosines = similarities(stored[at], kept)
            scores.append(all_scores(cosines, graph, lattice, options.scale_weight))
        stored.flush()
        fit = _fit(model, graph, options.in_distribution, whole)
        names = pd.DataFrame({"image": [p.id for p in images], "image_name": [p.name for p in images]})
        tell("reconstructing each image from words")
        rebuilt = rebuilt_frame(model, graph, names, whole, options.penalty)
    np.save(out / "glosses.npy", kept)
    np.save(out / "images.npy", whole)
    for name in ("own", "presence", "best"):
        np.save(out / f"{name}.npy", np.stack([getattr(each, name) for each in scores]))
    about = {
        "source": graph.source,
        "concepts": len(graph),
        "listed": len(graph.listed),
        "preset": options.preset,
        "cells": lattice.cells,
        "crops": len(lattice),
        "scale_weight": options.scale_weight,
        "margin": options.margin,
        "penalty": options.penalty,
        "in_distribution": options.in_distribution,
        "image_forwards": spent.image,
        "text_forwards": spent.text,
        "vocabulary_sha256": graph.digest,
    }
    tables = {
        "concepts": graph.to_frame(),
        "images": names.assign(fit=fit),
        "rebuilt": rebuilt,
        "top": _top(names, graph, scores, whole @ unit(glosses).T),
    }
    ConceptRecord.write(out, about, tables)


def _fit(model: Model, graph: ConceptGraph, synset: str | None, whole: NDArray[np.float32]) -> NDArray[np.float32]:
    if synset is None:
        return np.full(len(whole), np.nan, dtype=np.float32)
    found = graph if synset in graph.positions else below(synset)
    leaves = leaf_positions(found, synset)
    return fit_scores(whole, embed_glosses(model, found)[leaves])


def _top(
    names: pd.DataFrame, graph: ConceptGraph, scores: Sequence[ConceptScores], cosines: NDArray[np.float32]
) -> pd.DataFrame:
    """The listed concepts that rank high over most of each image; equal ones by their cosine with the image."""
    rows = []
    listed = graph.listed
    for at, image in enumerate(names.itertuples()):
        order = np.lexsort((-cosines[at, listed], -scores[at].own[listed]))[:TOP]
        for rank, position in enumerate(listed[order], 1):
            concept = graph.concepts[position]
            rows.append(
                {
                    "image": image.image,
                    "image_name": image.image_name,
                    "rank": rank,
                    "concept": concept.name,
                    "title": concept.title,
                    "gloss": concept.gloss,
                    "presence": float(scores[at].own[position]),
                    "best": float(scores[at].best[position]),
                    "cosine": float(cosines[at, position]),
                }
            )
    return pd.DataFrame(rows)


def _noise(seed: int | None, at: int) -> torch.Generator | None:
    # An image's noise depends on its place in the plan, which is part of what is asked.
    return None if seed is None else torch.Generator().manual_seed(seed * 1_000_003 + at)


def _array(values: torch.Tensor) -> NDArray[np.float32]:
    return values.detach().to("cpu", torch.float32).numpy()
