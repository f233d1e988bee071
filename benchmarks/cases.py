"""The five systems as cases of `benchmarks/systems.py`: the release's loop beside ours, on the same input."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image

from benchmarks.case import Arrays, Case, flat
from benchmarks.release import convis, knowledge, m2ib, priors, surgery
from core import explain
from core.applications.knowledge.card import KnowledgeOptions
from core.applications.knowledge.work import mutual_knowledge
from core.attribution.clip_surgery import feature_surgery, surgery_features
from core.attribution.convis import embed_crops
from core.attribution.regions import regions_of
from core.concepts.descriptors import build_bank
from core.concepts.glosses import embed_glosses
from core.concepts.lattice import Lattice
from core.concepts.relevance import concept_map, similarities
from core.models.model import Meter
from core.models.trunk import ImageTrunk, TextTrunk

TEXT = "two dogs lie on the grass"
CONCEPT = "dog.n.01"


class M2ib(Case):
    """One image with one text, both bottlenecks."""

    title = "M2IB: one pair, image and text"

    def first(self) -> Arrays:
        model, sizes = self.known, self.sizes
        # Only for the streams of noise: nothing of this work is computed.
        work = self.work([TEXT])
        found = {}
        for side, depth in (("image", model.image.depth), ("text", model.text.depth)):
            generator = work.generator("m2ib", side, work.image_keys[0], TEXT)
            layer = depth - 3
            found[side] = m2ib.literal(
                model,
                self.pixels,
                TEXT,
                lambda shape, g=generator: torch.randn(shape, generator=g),  # type: ignore[misc]
                side=side,
                layer=layer,
                prior=self.prior if side == "image" else None,
                steps=sizes.steps,
                samples=sizes.samples,
            )
        return {side: flat(values) for side, values in found.items()}

    def second(self) -> Arrays:
        options: dict[str, Any] = {"steps": self.sizes.steps, "samples": self.sizes.samples}
        got = explain(self.known, self.pixels, [TEXT], "m2ib", sides=("image", "text"), **options)
        assert got.image is not None and got.text is not None
        # The release keeps the special tokens at both ends; ours leaves them out.
        return {"image": flat(got.image[0, 0]), "text": flat(got.text[0, 0])}

    def prepare(self) -> None:
        super().prepare()
        self.prior = None
        if self.known.image.layout == "maps":
            state = ImageTrunk(self.known, self.pixels).entering(self.known.image.depth - 2)
            spread = state.std(dim=(2, 3), keepdim=True, correction=0).clamp_min(1e-3)
            self.prior = (state.mean(dim=(2, 3), keepdim=True), spread)
        self.content = TextTrunk(self.known, [TEXT]).content[0][0]

    def counted(self, way: int) -> tuple[Arrays, Meter]:
        found, spent = super().counted(way)
        if way == 0:
            found["text"] = found["text"][self.content]
        return found, spent


class Convis(Case):
    """The map of one concept with everything below it."""

    title = "ConVis: one image, one concept"

    def prepare(self) -> None:
        super().prepare()
        graph = self.vocabulary_asked()
        self.members = graph.members(graph.position(CONCEPT)).tolist()
        self.glosses = embed_glosses(self.known, graph)
        self.lattice = Lattice(self.sizes.cells)

    def first(self) -> Arrays:
        generator, glosses = torch.Generator().manual_seed(0), torch.from_numpy(self.glosses)
        found = convis.literal(self.known, self.pixels[0], glosses, self.members, generator, self.lattice.cells)
        return {"map": flat(found)}

    def second(self) -> Arrays:
        crops = embed_crops(self.known, self.pixels[0], self.lattice, torch.Generator().manual_seed(0))
        cosines = similarities(crops.cpu().numpy(), self.glosses)
        values = concept_map(cosines, np.array(self.members), self.lattice).values.astype(np.float64)
        values = (values - values.min()) / max(values.max() - values.min(), 1e-12)
        down, across = (-(-side // self.lattice.cells) for side in self.pixels.shape[-2:])
        return {"map": flat(np.kron(values, np.ones((down, across))))}


class Surgery(Case):
    """The feature part for a label set, on features of a model or on random ones of a ViT-B's shape."""

    def prepare(self) -> None:
        self.title = f"CLIP Surgery: feature part, {self.sizes.labels} labels"
        self.repeats = self.sizes.repeats
        if self.model is None:
            assert self.grid is not None
            generator = torch.Generator().manual_seed(0)
            shape = (1 + self.grid * self.grid, 512)
            self.features = F.normalize(torch.randn(shape, generator=generator), dim=-1)
            self.texts = F.normalize(torch.randn((self.sizes.labels, 512), generator=generator), dim=-1)
            return
        super().prepare()
        work = self.work([TEXT])
        attends = "image_attention" in self.model.capabilities
        places = surgery_features(work, 6)[0] if attends else work.images.places[0]
        self.features = torch.cat([work.images.embeddings, places])
        with torch.no_grad():
            self.texts = self.model.embed_texts(self.labels(self.sizes.labels))

    def first(self) -> Arrays:
        return {"map": flat(surgery.literal(self.features, self.texts))}

    def second(self) -> Arrays:
        found = feature_surgery(self.features[None, 1:], self.features[:1], self.texts)
        return {"map": flat(found[0])}


class Priors(Case):
    """Shapley values of the semantic regions for one text."""

    many = False

    def prepare(self) -> None:
        super().prepare()
        self.count = self.sizes.fewer_regions if self.many else self.sizes.regions
        self.texts = self.labels(self.sizes.texts) if self.many else [TEXT]
        self.title = f"Semantic priors: {len(self.texts)} text(s), {self.count} regions"

    def first(self) -> Arrays:
        # The release's own cut differs; both ways play over the same regions.
        regions = regions_of(self.work(self.texts), 0, "semantic", self.count)
        found = priors.literal(self.known, self.pixels[0], regions.masks, self.texts)
        return {"maps": flat(regions.spread(found))}

    def second(self) -> Arrays:
        return {"maps": flat(self.maps(self.texts))}

    def maps(self, texts: list[str]) -> NDArray[np.float32]:
        """Maps `(texts, rows, columns)` by the product."""
        options: dict[str, Any] = {"regions": "semantic", "count": self.count, "removal": "black"}
        got = explain(self.known, self.pixels, texts, "semantic_priors", **options)
        assert got.image is not None
        return got.image[0]


class PriorsMany(Priors):
    """The same for many texts, over fewer regions so that the release's loop ends."""

    many = True


class PriorsTexts(Priors):
    """Ours for many texts beside ours for one."""

    ways = ("many texts", "one text")

    def prepare(self) -> None:
        super().prepare()
        self.others = self.labels(self.sizes.texts - 1)
        self.title = f"Semantic priors, ours: {self.sizes.texts} texts → 1 text, {self.count} regions"

    def first(self) -> Arrays:
        return {"map of the shared text": flat(self.maps([TEXT, *self.others])[0])}

    def second(self) -> Arrays:
        return {"map of the shared text": flat(self.maps([TEXT])[0])}


class Knowledge(Case):
    """Visual and textual concepts of some images, both ways of finding parts."""

    classes = ("dog", "cat", "boat", "flower")

    def prepare(self) -> None:
        chosen = self.images[: self.sizes.images]
        self.title = f"Mutual knowledge: {len(chosen)} images"
        # Decoded beforehand: reading files is no part of either way.
        self.images = [Image.open(path).convert("RGB") for path in chosen]
        self.pixels, _ = self.known.preprocess([self.images[0]])
        self.descriptors = list(build_bank(self.classes).descriptors)[: self.sizes.descriptors]
        # One seed: how parts spread over seeds is more than the release asks.
        own = tuple(self.descriptors)
        self.options = KnowledgeOptions(paper_exact=True, descriptors=own, bank="attributes", seeds=1)

    def first(self) -> Arrays:
        found = knowledge.literal(self.known, list(self.images), list(self.classes), self.descriptors)
        return {
            "score": np.array([one.score for one in found]),
            "auc": np.array([one.auc for one in found]),
            "concepts": flat(_marked([one.concepts for one in found], len(self.descriptors))),
        }

    def second(self) -> Arrays:
        got = mutual_knowledge(self.known, list(self.images), self.classes, options=self.options)
        rows = got.partitions.assign(at=got.partitions["image"].astype(int)).sort_values(["at", "variant"])
        position = {name: at for at, name in enumerate(self.descriptors)}
        named = got.concepts.sort_values("rank").groupby(["image", "variant"])["descriptor"].apply(list)
        concepts = [[position[name] for name in named[row.image, row.variant]] for row in rows.itertuples()]
        return {
            "score": rows["score"].to_numpy(),
            "auc": rows["auc"].to_numpy(),
            "concepts": flat(_marked(concepts, len(self.descriptors))),
        }


CASES: dict[str, type[Case]] = {
    "m2ib": M2ib,
    "convis": Convis,
    "surgery": Surgery,
    "priors": Priors,
    "priors_many": PriorsMany,
    "priors_texts": PriorsTexts,
    "knowledge": Knowledge,
}


def _marked(concepts: list[list[int]], bank: int) -> NDArray[np.float64]:
    """For each list the place of every descriptor in it, counted from 1; 0 for those that aren't there."""
    marks = np.zeros((len(concepts), bank))
    for row, found in enumerate(concepts):
        marks[row, found] = 1 + np.arange(len(found))
    return marks
