"""The work behind mutual knowledge: images embedded once, parts of each group, rows of every image."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from core.applications.knowledge.card import SPREAD_IMAGES, SPREAD_SHARE, KnowledgeOptions
from core.applications.knowledge.overlap import (
    ImageConcepts,
    class_concepts,
    curve_area,
    edit,
    expected_shared,
    image_concepts,
    membership,
    overlap,
    removal_curves,
    softmax,
)
from core.applications.knowledge.record import VERSION
from core.applications.work.visual_concepts import (
    Floats,
    foreground,
    part_embeddings,
    part_labels,
    sign_agreement,
    sign_choices,
)
from core.concepts.descriptors import Bank
from core.models.model import DatasetImage, Model
from core.models.trunk import ImageTrunk
from core.settings import byte_budget
from core.statistics.sampling import random_positions

COMPONENT_NAMES = ("first", "second", "third")
CONTROL_DRAWS = 5
# What is chosen anew to see how far a way of finding parts depends on it, as the record names it.
CHOICES = {"kmeans": "seed", "pca": "flips"}


class Gallery:
    """The images of a study: one forward each for embedding and features, kept as long as they fit in memory."""

    def __init__(
        self, model: Model, images: Sequence[DatasetImage], features: str, tell: Callable[[str], None]
    ) -> None:
        self.model, self.images, self._features = model, images, features
        self._kept: dict[int, NDArray[np.float32]] = {}
        found = []
        step = model.image_batch((model.preprocessing.height, model.preprocessing.width))
        room = byte_budget() // 2
        for start in range(0, len(images), step):
            indices = list(range(start, min(start + step, len(images))))
            trunk = ImageTrunk(model, self.pixels(indices))
            found.append(trunk.embeddings.double().cpu().numpy())
            self.grid = trunk.grid()
            features_here = self._read(trunk)
            for index, one in zip(indices, features_here, strict=True):
                if room >= one.nbytes:
                    self._kept[index] = one
                    room -= one.nbytes
            tell(f"reading images: {indices[-1] + 1}/{len(images)}")
        self.embeddings: Floats = np.concatenate(found)

    def pixels(self, indices: Sequence[int]) -> torch.Tensor:
        """The model's input `(images, 3, height, width)`."""
        return self.model.preprocess([self.images[index] for index in indices])[0]

    def features(self, indices: Sequence[int]) -> NDArray[np.float32]:
        """The features `(images, places, width)`; those that were not kept cost a forward more."""
        return np.stack([self._kept[i] if i in self._kept else self._read_one(i) for i in indices])

    def _read_one(self, index: int) -> NDArray[np.float32]:
        return self._read(ImageTrunk(self.model, self.pixels([index])))[0]

    def _read(self, trunk: ImageTrunk) -> NDArray[np.float32]:
        tower: Any = self.model.image
        with torch.no_grad():
            if self._features == "keys":
                _, keys, _, _ = tower.blocks[-1].qkv(trunk.entering(tower.depth - 1))
                tokens = keys.transpose(1, 2).flatten(2)[:, tower.prefix_tokens :]
            elif tower.layout == "maps":
                tokens = trunk.final.flatten(2).transpose(1, 2)
            else:
                tokens = trunk.final[:, tower.prefix_tokens :]
        return tokens.float().cpu().numpy()


class Study:
    """One comparison of images, classes and bank."""

    def __init__(
        self,
        model: Model,
        gallery: Gallery,
        classes: list[str],
        bank: Bank,
        texts: Floats,
        weights: Floats,
        options: KnowledgeOptions,
        seed: int,
    ) -> None:
        self.model, self.gallery, self.classes, self.bank = model, gallery, classes, bank
        self.texts, self.weights, self.options, self.seed = texts, weights, options, seed
        self.of_classes = class_concepts(weights, texts, options.class_concepts)
        self.members = membership(self.of_classes, len(bank))
        self.candidates = options.candidates
        if not options.paper_exact:
            # All of a small bank would be common to every part.
            self.candidates = min(options.candidates, max(options.per_part, len(bank) // 2))
        count = len(gallery.images)
        watched = min(SPREAD_IMAGES, count // SPREAD_SHARE) if options.seeds > 1 else 0
        self.watched = set(random_positions(count, watched, seed))
        # What further seeds of k-means, and further signs of components, make of the watched images.
        self.spread: dict[str, list[dict[str, Any]]] = {"kmeans": [], "pca": []}

    def assign(self, labels: Sequence[str | None] | None, other: Floats) -> None:
        """Settle each image's zero-shot class, its label, the class it is grouped by, and its margins."""
        cosines = self.gallery.embeddings @ self.weights.T
        known = {name: index for index, name in enumerate(self.classes)}
        self.predicted = cosines.argmax(axis=1)
        self.labels = [known.get(label) if label is not None else None for label in labels or [None] * len(cosines)]
        self.unlabelled = sum(label is None for label in self.labels)
        self.labelled = labels is not None
        self.assigned = np.array(
            [int(p) if label is None else label for label, p in zip(self.labels, self.predicted, strict=True)]
        )
        # What can be said of a decision without knowing the truth.
        ordered = np.sort(cosines, axis=1)
        self.margin = ordered[:, -1] - ordered[:, -2]
        self.confidence = softmax(self.model.logit_scale * cosines).max(axis=1)
        self.agrees = (self.gallery.embeddings @ other.T).argmax(axis=1) == self.predicted

    def group(self, group: list[int]) -> Iterator[tuple[dict[str, Any] | None, dict[str, Any], list[dict[str, Any]]]]:
        """Rows of every image and way of finding parts, the first with the record of the group."""
        features = self.gallery.features(group)
        options = self.options
        # The release always takes the second component.
        which = 1 if options.paper_exact else None
        if options.foreground != "auto":
            which = COMPONENT_NAMES.index(options.foreground)
        front = foreground(features, self.gallery.grid, which)
        split = partial(part_labels, features, front.masks, options.parts, released=options.paper_exact)
        labels = {way: split(way, self.seed) for way in options.ways}
        again = self._further(split) if self.watched & set(group) else {}
        told: dict[str, Any] = {
            "classes": [self.classes[index] for index in sorted({int(self.assigned[index]) for index in group})],
            "images": len(group),
            "component": COMPONENT_NAMES[front.component],
            "border_contrast": round(front.contrast, 4),
            "without_foreground": len(front.whole),
        }
        if "pca" in options.ways:
            agreement = sign_agreement(features, front.masks, options.parts, self.seed, released=options.paper_exact)
            told["sign_agreement"] = round(agreement, 4)
        record: dict[str, Any] | None = told
        for position, index in enumerate(group):
            pixels = self.gallery.pixels([index])[0]
            for way in options.ways:
                known: dict[bytes, Floats] = {}
                row, named = self._image(index, pixels, labels[way][position], known)
                yield record, {"variant": way, "whole": position in front.whole, **row}, named
                record = None
                for choice, parts in again.get(way, {}).items() if index in self.watched else ():
                    self.spread[way].append(
                        {"index": index, CHOICES[way]: choice} | self._by_choice(index, pixels, parts[position], known)
                    )

    def _further(self, split: Callable[..., NDArray[np.int8]]) -> dict[str, dict[int, NDArray[np.int8]]]:
        """The parts of a group by way and choice. The first choice is the run's own, so its figures are those of the
        table of images.
        """
        options = self.options
        made = {
            "kmeans": {seed: split("kmeans", seed) for seed in range(self.seed, self.seed + options.seeds)},
            "pca": {
                flips: split("pca", flips=flips) for flips in sign_choices(options.parts, options.seeds, self.seed)
            },
        }
        return {way: made[way] for way in options.ways}

    def _by_choice(
        self, index: int, pixels: torch.Tensor, labels: NDArray[np.int8], known: dict[bytes, Floats]
    ) -> dict[str, Any]:
        _, _, parts = part_embeddings(self.model, pixels, labels, known)
        own = overlap(self._concepts(index, parts).order, self.of_classes[int(self.predicted[index])])
        return {"score": own.score, "auc": own.auc, "shared": own.shared}

    def _concepts(self, index: int, parts: Floats) -> ImageConcepts:
        options = self.options
        return image_concepts(
            parts,
            self.gallery.embeddings[index],
            self.texts,
            candidates=self.candidates,
            slack=options.slack,
            per_part=options.per_part,
            sinkhorn=options.transport,
            temperature=options.temperature,
        )

    def _image(
        self, index: int, pixels: torch.Tensor, labels: NDArray[np.int8], known: dict[bytes, Floats]
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        image = self.gallery.embeddings[index]
        present, ellipses, parts = part_embeddings(self.model, pixels, labels, known)
        concepts = self._concepts(index, parts)
        which = int(self.predicted[index])
        own = overlap(concepts.order, self.of_classes[which])
        curves = removal_curves(concepts.order, self.members, own.textual)
        others, other_curves = np.arange(len(curves)) != which, np.delete(curves, which, axis=0)
        edits = edit(image, concepts.order, self.texts, self.weights, self.model.logit_scale, which)
        label = self.labels[index]
        row = {
            "index": index,
            "rows": labels.shape[0],
            "columns": labels.shape[1],
            "parts": labels.ravel().tolist(),
            "ellipses": [[e.x, e.y, e.major, e.minor, e.angle] for e in ellipses],
            "predicted": self.classes[which],
            "assigned": self.classes[int(self.assigned[index])],
            "label": None if label is None else self.classes[label],
            "shared": own.shared,
            "visual": own.visual,
            "textual": own.textual,
            "expected_shared": expected_shared(own.visual, own.textual, len(self.bank)),
            "score": own.score,
            "jaccard": own.jaccard,
            "overlap": own.coefficient,
            "auc": own.auc,
            "curve": own.curve.tolist(),
            "control_shared": float(self.members[others][:, concepts.order].sum(axis=1).mean()),
            "control_score": float(other_curves[:, 0].mean()),
            "control_auc": float(other_curves.mean()),
            "control_curve": other_curves.mean(axis=0).tolist(),
            "deletion": edits.deletion_auc,
            "insertion": edits.insertion_auc,
            "deletion_curve": edits.deletion.tolist(),
            "insertion_curve": edits.insertion.tolist(),
            **self._random_edits(index, len(concepts.order), which),
            "without": self.classes[edits.without],
            "through": self.classes[edits.through],
            "margin": float(self.margin[index]),
            "confidence": float(self.confidence[index]),
            "template_agrees": bool(self.agrees[index]),
            "fallback": concepts.fallback,
        }
        return row, self._named(concepts, present, which)

    def _random_edits(self, index: int, count: int, which: int) -> dict[str, Any]:
        random = np.random.default_rng([self.seed, index])
        drawn = [
            edit(
                self.gallery.embeddings[index],
                random.choice(len(self.bank), count, replace=False),
                self.texts,
                self.weights,
                self.model.logit_scale,
                which,
            )
            for _ in range(CONTROL_DRAWS)
        ]
        deletion = np.mean([one.deletion for one in drawn], axis=0)
        insertion = np.mean([one.insertion for one in drawn], axis=0)
        return {
            "control_deletion": curve_area(deletion),
            "control_insertion": curve_area(insertion),
            "control_deletion_curve": deletion.tolist(),
            "control_insertion_curve": insertion.tolist(),
        }

    def _named(self, concepts: ImageConcepts, present: list[int], which: int) -> list[dict[str, Any]]:
        textual = self.of_classes[which].tolist()
        by_part = list(zip(present, concepts.by_part, strict=True))
        return [
            {
                "rank": rank,
                "descriptor": self.bank.descriptors[concept],
                "relevance": float(relevance),
                "parts": [part for part, chosen in by_part if concept in chosen],
                "class_rank": textual.index(concept) if concept in textual else -1,
            }
            for rank, (concept, relevance) in enumerate(zip(concepts.order.tolist(), concepts.relevance, strict=True))
        ]

    def class_frame(self) -> pd.DataFrame:
        """The concepts of every class, nearest first."""
        cosines = self.weights @ self.texts.T
        return pd.DataFrame(
            [
                {"class": name, "rank": rank, "descriptor": self.bank.descriptors[at], "cosine": float(cosines[c, at])}
                for c, name in enumerate(self.classes)
                for rank, at in enumerate(self.of_classes[c].tolist())
            ]
        )

    def about(self, groups: list[dict[str, Any]], templates: Sequence[str], note: str) -> dict[str, Any]:
        """What determines the result and what was counted on the way."""
        gap = np.linalg.norm(self.gallery.embeddings.mean(axis=0) - self.weights.mean(axis=0))
        return {
            "version": VERSION,
            "model": self.model.title,
            "digest": self.model.digest,
            "classes": self.classes,
            "templates": list(templates),
            "assignment": "labels" if self.labelled else "zero-shot",
            "unlabelled": int(self.unlabelled) if self.labelled else None,
            "options": self.options.model_dump(mode="json", exclude={"descriptors"}),
            "candidates": self.candidates,
            "seed": self.seed,
            "bank": {
                "size": len(self.bank),
                "digest": hashlib.sha256("\n".join(self.bank.descriptors).encode()).hexdigest(),
                "sources": self.bank.counts(),
                "senses": self.bank.senses,
                "note": note,
                "unknown": list(self.bank.unknown),
                "dropped": [list(pair) for pair in self.bank.dropped],
            },
            "groups": groups,
            "modality_gap": float(gap),
        }
