"""Maps of methods, applications and controls over scenes whose regions are known, one `(rows, columns)` a pair.

A system is any method of the catalogue, explained with the texts of the image's own pairs, or one of

    clip_surgery_labels  CLIP Surgery with every text of the benchmark as the label set
    convis_text          ConVis: mean over the covering crops of the cosine with the text
    convis_concept       ConVis: mean rank of the synset with all below it; pairs without a synset have no map
    foreground           mutual knowledge: 1 on the foreground of the group of images that show the class, else 0
    shared               mutual knowledge: at each cell of a part the share of the part's descriptors that are concepts
                         of the class, mean over the two ways of finding parts; 0 off the foreground
    random, centre, edge, text-independent, whole   controls
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.regions import Known, Scene
from core import explain
from core.applications.concepts.work import EmbeddedImages, embed_images
from core.applications.knowledge.card import KnowledgeOptions
from core.applications.knowledge.overlap import class_concepts, image_concepts
from core.applications.knowledge.work.study import Gallery
from core.applications.work.visual_concepts import foreground, part_embeddings, part_labels
from core.attribution.contract import Work
from core.attribution.explain import attribute
from core.concepts.descriptors import build_bank, wordnet_lexicon
from core.evaluation.controls import control_maps
from core.methods import METHODS
from core.models.geometry import Geometry
from core.models.model import Model
from core.models.trunk import ImageTrunk, TextTrunk

Map = NDArray[Any]
CONTROLS = ("random", "centre", "edge", "text-independent", "whole")


class RegionMaps:
    """Maps of one model. `options` are those of the methods by name."""

    def __init__(self, model: Model, known: Known, options: dict[str, dict[str, Any]], preset: Any = "fast") -> None:
        self.model, self.known, self.options, self.preset = model, known, options, preset
        self._own: dict[str, Callable[[int], list[Map | None]]] = {
            "clip_surgery_labels": self._surgery,
            "convis_text": self._convis_text,
            "convis_concept": self._convis_concept,
            "foreground": lambda at: [self._foreground(at, pair.name) for pair in self._scene(at).pairs],
            "shared": lambda at: [self._shared(at, pair.name) for pair in self._scene(at).pairs],
            **{name: lambda at, name=name: self._control(at, name) for name in CONTROLS},
        }
        self._embedded: dict[int, EmbeddedImages] = {}

    def able(self, system: str) -> bool:
        """Whether the model can serve the system."""
        if system in self._own and system != "clip_surgery_labels":
            return True
        method = system.removesuffix("_labels")
        return METHODS[method].reasons(self.model.capabilities)["image"] is None

    def maps(self, system: str, at: int) -> list[Map | None]:
        """The map of each pair of the scene at `at`, over what the model sees."""
        if system in self._own:
            return self._own[system](at)
        scene = self._scene(at)
        texts = [pair.text for pair in scene.pairs]
        got = explain(self.model, [scene.path], texts, method=system, **self.options.get(system, {}))
        assert got.image is not None
        return list(got.image[0])

    @cache  # noqa: B019 - one object a model, as long as the program
    def geometry(self, at: int) -> Geometry:
        """The way from the maps of the scene at `at` to its image."""
        return self.model.preprocess([self._scene(at).path])[1][0]

    def _scene(self, at: int) -> Scene:
        return self.known.scenes[at]

    # -- similarity and controls ---------------------------------------------------------------------------------

    def _all_texts(self, at: int, method: str, **options: Any) -> dict[str, Map]:
        pixels, geometry = self.model.preprocess([self._scene(at).path])
        work = Work(self.model, ImageTrunk(self.model, pixels), self._trunk)
        got = attribute(work, method, geometry, sides=("image",), **options)
        assert got.image is not None
        return dict(zip(self.known.texts, got.image[0], strict=True))

    @cached_property
    def _trunk(self) -> TextTrunk:
        # One set of texts for every image.
        return TextTrunk(self.model, list(self.known.texts.values()))

    def _surgery(self, at: int) -> list[Map | None]:
        maps = self._all_texts(at, "clip_surgery", mode="labels")
        return [maps[pair.name] for pair in self._scene(at).pairs]

    def _control(self, at: int, name: str) -> list[Map | None]:
        pairs = self._scene(at).pairs
        if name == "text-independent":
            maps = self._all_texts(at, "raw")
            others = [[maps[other] for other in maps if other != pair.name] for pair in pairs]
            return [np.mean(some, axis=0) for some in others]
        pixels = self.model.preprocess([self._scene(at).path])[0][0]
        rows, columns = self._grid
        if name == "whole":
            return [np.ones((rows, columns))] * len(pairs)
        made = control_maps(pixels, rows, columns, torch.Generator().manual_seed(at))
        return [made[name].numpy()] * len(pairs)

    @cached_property
    def _grid(self) -> tuple[int, int]:
        got = explain(self.model, [self._scene(0).path], ["a photo"], method="raw")
        assert got.image is not None
        return int(got.image.shape[-2]), int(got.image.shape[-1])

    # -- ConVis --------------------------------------------------------------------------------------------------

    def _crops(self, at: int) -> EmbeddedImages:
        # Texts and concepts share the crops of an image.
        if at not in self._embedded:
            self._embedded[at] = embed_images(self.model, [self._scene(at).path], preset=self.preset)
        return self._embedded[at]

    def _convis_text(self, at: int) -> list[Map | None]:
        found = self._crops(at)
        texts = self.model.embed_texts([pair.text for pair in self._scene(at).pairs]).detach().cpu().numpy()
        cells = found.lattice.cells
        return list((found.lattice.weights("sum") @ (found.crops[0] @ texts.T)).T.reshape(-1, cells, cells))

    def _convis_concept(self, at: int) -> list[Map | None]:
        found = self._crops(at)
        concepts = [self.known.concepts.get(pair.name) for pair in self._scene(at).pairs]
        return [None if concept is None else found.maps(concept)[0].values for concept in concepts]

    # -- mutual knowledge ----------------------------------------------------------------------------------------

    @cached_property
    def _gallery(self) -> Gallery:
        return Gallery(self.model, [scene.path for scene in self.known.scenes], "tokens", lambda line: None)

    @cached_property
    def _classes(self) -> NDArray[np.float64]:
        return self.model.embed_texts(list(self.known.texts.values())).detach().double().cpu().numpy()

    @cached_property
    def _bank(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Descriptors' unit embeddings, and which of them are concepts of each class `(classes, descriptors)`."""
        words = [name.removeprefix("a ") for name in self.known.texts]
        bank = build_bank(words, wordnet_lexicon(), most=KnowledgeOptions().bank_size)
        texts = self.model.embed_texts(bank.descriptors).detach().double().cpu().numpy()
        members = np.zeros((len(words), len(texts)), dtype=bool)
        np.put_along_axis(members, class_concepts(self._classes, texts), True, axis=1)
        return texts, members

    @cache  # noqa: B019
    def _group(self, name: str, at: int) -> tuple[int, ...]:
        """The images that are looked at together with the one at `at` for a class: those that show it, filled up with
        those of the nearest classes, split evenly if too many.
        """
        options, names = KnowledgeOptions(), list(self.known.texts)
        nearest = np.argsort(-self._classes @ self._classes[names.index(name)], kind="stable")
        found: list[int] = []
        for other in (names[place] for place in nearest):
            if len(found) >= options.least_group:
                break
            showing = (i for i, scene in enumerate(self.known.scenes) if any(p.name == other for p in scene.pairs))
            found += [i for i in showing if i not in found]
        pieces = np.array_split(np.array(sorted(found)), -(-len(found) // options.largest_group))
        return next(tuple(piece.tolist()) for piece in pieces if at in piece)

    @cache  # noqa: B019
    def _masks(self, group: tuple[int, ...]) -> NDArray[np.bool_]:
        return foreground(self._gallery.features(group), self._gallery.grid).masks

    @cache  # noqa: B019
    def _parts(self, group: tuple[int, ...], way: Any) -> NDArray[np.int8]:
        return part_labels(self._gallery.features(group), self._masks(group), KnowledgeOptions().parts, way)

    def _foreground(self, at: int, name: str) -> Map:
        group = self._group(name, at)
        return self._masks(group)[group.index(at)].astype(np.float64)

    def _shared(self, at: int, name: str) -> Map:
        options, group = KnowledgeOptions(), self._group(name, at)
        texts, members = self._bank
        own = members[list(self.known.texts).index(name)]
        pixels = self._gallery.pixels([at])[0]
        total = np.zeros(self._gallery.grid)
        for way in options.ways:
            labels = self._parts(group, way)[group.index(at)]
            present, _, parts = part_embeddings(self.model, pixels, labels)
            candidates = min(options.candidates, len(texts) // 2)
            named = image_concepts(parts, self._gallery.embeddings[at], texts, candidates=candidates).by_part
            for part, chosen in zip(present, named, strict=True):
                total[labels == part] += own[list(chosen)].mean() / len(options.ways)
        return total
