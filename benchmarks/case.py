"""What a case of `benchmarks/systems.py` is: two ways to the same values on one model, and how much is asked of them.

The first way is the release's loop, the second is ours (in one case: ours for many texts, and for one). Preparing a
case costs nothing on either side; everything that a way needs beyond it is measured.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.release.towers import counting
from core.attribution.contract import Work
from core.concepts.graph import ConceptGraph
from core.concepts.vocabulary import vocabulary
from core.models.model import Meter, Model
from core.models.trunk import ImageTrunk, TextTrunk

Arrays = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Sizes:
    """How much is asked of each system."""

    steps: int = 10
    samples: int = 10
    cells: int = 14
    regions: int = 8
    fewer_regions: int = 5
    texts: int = 20
    labels: int = 100
    images: int = 8
    descriptors: int = 2000
    repeats: int = 20
    everyday: bool = True


QUICK = Sizes(
    steps=2, samples=2, cells=7, regions=3, fewer_regions=2, texts=4, labels=4, images=2, descriptors=24, repeats=2,
    everyday=False,
)  # fmt: skip
OWN = (
    *("animal", "dog.n.01 | a common animal kept as a pet | animal", "cat | a small furry pet | animal", "plant"),
    *("flower | a part of a plant | plant", "boat | a small vessel", "wall", "bicycle"),
)


class Case(ABC):
    """One pair of ways on one model. `ways` names them; `repeats` is how often a quick way is timed."""

    title: str
    ways: tuple[str, str] = ("release", "ours")

    def __init__(self, model: Model | None, grid: int | None, sizes: Sizes, images: list[Path]) -> None:
        self.model, self.grid, self.sizes, self.images = model, grid, sizes, images
        self.repeats = 1
        self.prepare()

    def prepare(self) -> None:
        """What both ways start from."""
        model = self.known
        self.pixels, _ = model.preprocess([self.images[0]])

    @property
    def known(self) -> Model:
        """The model. Only cases that need one ask."""
        assert self.model is not None
        return self.model

    def work(self, texts: list[str]) -> Work:
        """Fresh work, with nothing computed yet."""
        return Work(self.known, ImageTrunk(self.known, self.pixels), TextTrunk(self.known, texts))

    def vocabulary_asked(self) -> ConceptGraph:
        """The everyday vocabulary, or a few concepts for a quick run."""
        return vocabulary() if self.sizes.everyday else vocabulary("own", OWN)

    def labels(self, count: int) -> list[str]:
        """Different texts about one thing each."""
        concepts = self.vocabulary_asked().concepts
        return [f"a photo of {concept.title}" for concept in concepts if concept.listed][:count]

    @abstractmethod
    def first(self) -> Arrays:
        """The values by the first way."""

    @abstractmethod
    def second(self) -> Arrays:
        """The same values by the second."""

    def counted(self, way: int) -> tuple[Arrays, Meter]:
        """The values of one way and its forward-equivalents: the release's counted from outside, ours by its meter."""
        run = (self.first, self.second)[way]
        if self.model is None:
            return run(), Meter()
        watch: Any = counting(self.model) if self.ways[way] == "release" else self.model.meter.measuring()
        with watch as spent:
            found = run()
        return found, Meter(spent.image, spent.text)


def flat(values: Any) -> NDArray[np.float64]:
    """Values as one row in float64."""
    return np.asarray(values, dtype=np.float64).ravel()
