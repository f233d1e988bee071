"""What a method is given and what a caller gets back."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.errors import InputError
from core.methods import MethodInfo
from core.models.geometry import Geometry
from core.models.model import Model
from core.models.trunk import ImageTrunk, TextTrunk
from core.models.words import Word, sum_words

# What `Work.pools` keeps of an image under keys that begin so depends on its pixels alone, or also on the seed, but
# never on a text: another work on the same image may share it.
BY_CONTENT = ("coalitions",)
BY_IMAGE = (*BY_CONTENT, "rise", "convis", "channels", "semantic_priors")


@dataclass(frozen=True)
class Context:
    """What is known about the audited images as a whole; empty for a single call.

    `channels` maps an image block (counted from 0) to the mean and standard deviation of each channel of the state
    that leaves it.
    """

    channels: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)


def image_key(pixels: Tensor) -> str:
    """A content key of one image's pixels, or of other numbers."""
    return hashlib.sha256(pixels.detach().cpu().contiguous().numpy().data).hexdigest()


@dataclass
class Work:
    """Images x texts for one or more methods; what methods share is computed once."""

    model: Model
    images: ImageTrunk
    texts: TextTrunk
    seed: int = 0
    context: Context = field(default_factory=Context)
    pools: dict[Any, Any] = field(default_factory=dict)

    @cached_property
    def image_keys(self) -> list[str]:
        """A content key of each image's pixels, for seeds that do not depend on its place in the batch."""
        return [image_key(image) for image in self.images.pixels]

    @property
    def scores(self) -> Tensor:
        """Cosine similarities `(images, texts)`."""
        return self.images.embeddings @ self.texts.embeddings.T

    def generator(self, *parts: object) -> torch.Generator:
        """A generator on the CPU whose stream depends only on the seed and on `parts`."""
        digest = hashlib.sha256(repr((self.seed, *parts)).encode()).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


@dataclass(frozen=True)
class Measured:
    """What a method that samples found, and how sure it is.

    `half_width` is the 95 % half-width of each value, of the same shape. `details` names further numbers, each
    `(images, texts)`: "r2", the share of the score's variance over coalitions that the map explains where it was not
    fitted, and "coalitions", how many were used.
    """

    values: Tensor
    half_width: Tensor | None = None
    details: dict[str, Tensor] = field(default_factory=dict)


class Method(Protocol):
    """A method's module. Either function may be missing."""

    def attribute_image(self, work: Work, options: Any) -> Tensor | Measured:
        """Raw maps `(images, texts, rows, columns)`."""

    def attribute_text(self, work: Work, options: Any) -> Tensor | Measured:
        """Raw values `(images, texts, tokens)` for every token position, special ones included."""


@dataclass(frozen=True)
class Attribution:
    """Raw attributions of one method.

    image: float32 `(images, texts, rows, columns)` at the model's native grid, sign kept, in `unit`; None if the
        method has none.
    text: float32 `(images, texts, tokens)`, padded with 0 behind the end of shorter texts; None if it has none.
    tokens: for each text the pieces that `text` names, special tokens left out.
    scores: float32 `(images, texts)`, cosine similarity.
    geometry: for each image the way from the map to the original image.
    image_half_width: 95 % half-width of each value of `image`, where the method estimates one; otherwise None.
    details: further numbers of the image side by name, each `(images, texts)` (see `Measured`).
    words: for each text its words, each with the places of its pieces in `tokens`.
    """

    method: MethodInfo
    options: dict[str, Any]
    image: NDArray[np.float32] | None
    text: NDArray[np.float32] | None
    tokens: list[list[str]]
    scores: NDArray[np.float32]
    geometry: list[Geometry]
    seed: int
    unit: str
    model_digest: str
    templates: tuple[str, ...] = ()
    not_run: dict[str, str] = field(default_factory=dict)
    image_half_width: NDArray[np.float32] | None = None
    details: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    words: list[list[Word]] = field(default_factory=list)

    def word_values(self, text: int) -> NDArray[np.float32]:
        """The token values of one text summed into its words, `(images, words)`; the words are `words[text]`.

        Raises `InputError` if the method has no text attribution.
        """
        if self.text is None:
            raise InputError(f"{self.method.name} has no text attribution")
        return sum_words(self.text[:, text], self.words[text])
