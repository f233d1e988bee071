"""Draws the images that an application measures, from what the audit knows of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from core.applications.card import ApplicationInfo
from core.applications.sampling import Path, design_record, joined, known_paths, label_column
from core.applications.work.subject import Subject
from core.datasets import DatasetImage
from core.statistics.sampling import Design, stratified_design

CLUSTERS, PER_CLUSTER = 8, 8
BEST_CLASS, CLUSTER = "best class", "embedding cluster"


@dataclass(frozen=True)
class Draw:
    """The images that are measured, in the order of drawing, and those left over, in the order in which they follow."""

    images: tuple[DatasetImage, ...]
    rest: tuple[DatasetImage, ...]
    design: Design
    about: dict[str, Any]

    def first(self, count: int) -> Draw:
        """The first `count` of the images, which are a sample of the same kind."""
        design = self.design.first(count)
        about = design_record(design, self.about["by"], self.images[:count], self.about["forwards"])
        return Draw(self.images[:count], (*self.images[count:], *self.rest), design, about)


def drawn_images(
    subject: Subject,
    card: ApplicationInfo,
    options: Any,
    eligible: Sequence[DatasetImage] | None = None,
    batch: int | None = None,
    count: int | None = None,
) -> Draw:
    """The images of the run, or of `eligible`, that the options of an application pay for.

    All of them where the budget suffices, in the order of the plan; otherwise a random sample by the plan's seed.
    Strata are the class (label column, else the best class of the plan), metadata columns with few values, and
    clusters of the image embeddings; strata too small for the sample are joined. Where images are measured in batches,
    `batch` is the size of the first: all images, too, come in a random order then, with strata that suit the first.
    `count` is given by an application that knows better than its card what an image costs.
    """
    images = tuple(subject.images if eligible is None else eligible)
    count = card.measured(options, len(images)) if count is None else min(count, len(images))
    seed, forwards = subject.run.plan.seed, getattr(options, "forwards", None)
    if count >= len(images) and (batch is None or batch >= len(images)):
        complete = Design(np.zeros(len(images), np.int64), np.arange(len(images), dtype=np.int64), seed)
        return Draw(images, (), complete, design_record(complete, (), images, forwards))
    paths, by = strata_of(subject, images)
    design = stratified_design(joined(paths, min(count, batch or count)), seed)
    order = [images[at] for at in design.drawn]
    drawn = design.first(count)
    return Draw(tuple(order[:count]), tuple(order[count:]), drawn, design_record(drawn, by, order[:count], forwards))


def strata_of(subject: Subject, images: Sequence[DatasetImage]) -> tuple[list[Path], list[str]]:
    """Class, metadata and embedding cluster of each image, coarse to fine, and what these are called."""
    columns = subject.run.dataset.columns
    paths, by = known_paths(images, columns)
    # Always embedded in the same batches, so that a resumed audit draws the same images.
    every = subject.embeddings(subject.images, lambda line: None)
    place = {image.id: number for number, image in enumerate(subject.images)}
    vectors = every[[place[image.id] for image in images]]
    classes = None if label_column(columns) else best_classes(subject, vectors)
    groups = clusters(vectors, subject.run.plan.seed)
    if classes is not None:
        paths, by = [(str(name), *path) for name, path in zip(classes, paths, strict=True)], [BEST_CLASS, *by]
    return [(*path, int(group)) for path, group in zip(paths, groups, strict=True)], [*by, CLUSTER]


def best_classes(subject: Subject, vectors: NDArray[np.float64]) -> list[str] | None:
    """The class, or without classes the prompt, that each embedding is nearest to; None with fewer than two."""
    texts = subject.run.plan.texts
    names = list(texts.classes) or list(texts.prompts)
    if len(names) < 2:
        return None
    known = subject.model.embed_texts(names, texts.templates if texts.classes else None).double().cpu().numpy()
    return [names[at] for at in (vectors @ known.T).argmax(axis=1)]


def clusters(vectors: NDArray[np.float64], seed: int) -> NDArray[np.int64]:
    """The k-means cluster of each embedding: at most `CLUSTERS`, with `PER_CLUSTER` images or more on average."""
    distinct = len(np.unique(vectors.round(9), axis=0))
    count = max(1, min(CLUSTERS, len(vectors) // PER_CLUSTER, distinct))
    return np.asarray(KMeans(count, n_init=4, random_state=seed).fit(vectors).labels_, dtype=np.int64)
