"""What is asked of a model about one image, and what is answered, as they go between the processes. No torch."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.methods import MethodInfo
from core.methods.presets import EFFORTS
from core.runs import ModelSpec

# Sampling methods run at this effort: what is asked here is a first look.
EFFORT = "quick"
MOST_TEXTS = 4
# Left, top, right and bottom in pixels of the image.
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Question:
    """A model and its `state` (what changes with its files), an image of a stored dataset, and the texts."""

    model: ModelSpec
    root: Path
    image: str
    texts: tuple[str, ...]
    state: str = ""

    @property
    def key(self) -> str:
        """Equal for equal questions."""
        return hashlib.sha256(json.dumps(self.told(), sort_keys=True).encode()).hexdigest()

    def told(self) -> dict[str, Any]:
        """The question as JSON."""
        return {
            "model": self.model.model_dump(mode="json"),
            "root": str(self.root),
            "image": self.image,
            "texts": list(self.texts),
            "state": self.state,
        }

    @classmethod
    def read(cls, told: dict[str, Any]) -> Question:
        """The question that `told` gave."""
        texts = tuple(told["texts"])
        return cls(ModelSpec(**told["model"]), Path(told["root"]), told["image"], texts, told["state"])


@dataclass(frozen=True)
class Scores:
    """How the model scores the image.

    cosines: with each text. shares: the probabilities among these texts alone, by the model's own scale; empty for a
    single text. unread: the texts whose end the model does not read, because it reads at most `context` tokens.
    preprocessing: the way from a map to the image (`core.models.geometry`).
    """

    title: str
    cosines: tuple[float, ...]
    shares: tuple[float, ...]
    unread: tuple[str, ...]
    context: int
    capabilities: tuple[str, ...]
    preprocessing: dict[str, Any]


@dataclass(frozen=True)
class Map:
    """The maps of one method, float32 `(texts, rows, columns)` in its unit, and how many seconds they took; or None and
    the `problem` why there are none.
    """

    values: NDArray[np.float32] | None
    seconds: float
    problem: str = ""


@dataclass(frozen=True)
class Region:
    """How the model scores a box, by cosines with each text.

    crop: of the box, cut out and scaled like an image of its own. inverted: of the embedding whose LeGrad map fits the
    box, with the overlap of map and box `fit` (0 to 1) and `fit_before`, that of the image's own embedding; empty, with
    the `problem`, where the model cannot do that.
    """

    crop: tuple[float, ...]
    inverted: tuple[float, ...] = ()
    fit: float = 0.0
    fit_before: float = 0.0
    problem: str = ""


@dataclass
class Answer:
    """All that is known so far of a question; maps by the name of the method."""

    scores: Scores | None = None
    maps: dict[str, Map] = field(default_factory=dict)
    regions: dict[Box, Region] = field(default_factory=dict)


def quick_options(info: MethodInfo) -> dict[str, Any]:
    """The options that a method is run with here."""
    return EFFORTS[EFFORT].of(info.name)
