"""Label maps of an image and what follows from them: which label is where, and how present each is in the whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from core.applications.segmentation.card import CARD, SegmentationOptions
from core.applications.segmentation.multilabel import recognition_scores, shares
from core.attribution.clip_surgery import (
    LabelBank,
    explained_by,
    feature_surgery,
    single_surgery,
    surgery_features,
    token_embeddings,
)
from core.attribution.contract import Work
from core.errors import CapabilityError, ScopeError
from core.methods import METHODS
from core.models.geometry import Geometry
from core.models.model import Model
from core.models.trunk import ImageTrunk, TextTrunk

BACKGROUND, UNSEEN = 0, -1
# Why the maps of a method are used.
SUPPORTED, REQUESTED = "the model supports it", "it was requested"  # messages
# A larger image is segmented at this many pixels on its longer side.
MOST_SIDE = 2048


@dataclass(frozen=True)
class Segmented:
    """One image through a label set of C labels and B background words.

    mask: int32 `(height, width)`: the number (from 1) of each pixel's label, 0 background, -1 never seen.
    maps: float32 `(C + B, rows, columns)` by `method`; raw: likewise, the plain cosine of each place.
    empty: float32 `(rows, columns)`, the empty text's cosine on the same features as `maps`.
    cosines, shares: float64 `(C + B,)`: of the whole image, and their softmax at the model's scale.
    recipes: the recognition scores `(C,)` of every recipe.
    empty_before, empty_after: `(C + B,)`, the share of each map that the empty text explains, without and with the
        subtraction of what labels share.
    """

    method: str
    mask: NDArray[np.int32]
    maps: NDArray[np.float32]
    raw: NDArray[np.float32]
    empty: NDArray[np.float32]
    cosines: NDArray[np.float64]
    shares: NDArray[np.float64]
    recipes: dict[str, NDArray[np.float64]]
    empty_before: NDArray[np.float64]
    empty_after: NDArray[np.float64]
    geometry: Geometry


@dataclass(frozen=True)
class CaptionTokens:
    """A caption's own map `(rows, columns)` and, for each of its tokens, a map, a score of the whole image and the
    highest value of the map.
    """

    caption: str
    cosine: float
    whole: NDArray[np.float32]
    tokens: list[str]
    maps: NDArray[np.float32]
    scores: NDArray[np.float64]
    peaks: NDArray[np.float64]

    @property
    def best(self) -> list[int]:
        """The three tokens with the highest scores, best first."""
        return np.argsort(-self.scores, kind="stable")[:3].tolist()


class Segmenter:
    """A model with a label set whose embeddings are made once. `labels` and background words are as given."""

    def __init__(self, model: Model, labels: Sequence[str], options: Any = None, templates: Any = None) -> None:
        self.model = model
        self.options: SegmentationOptions = options or SegmentationOptions()
        self.labels = tuple(dict.fromkeys(labels))
        self.background = tuple(word for word in dict.fromkeys(self.options.background) if word not in self.labels)
        if not self.labels:
            raise ScopeError("segmentation needs labels: give classes, prompts or the option labels")
        self.method, self.why = chosen_map(model, self.options.map)
        self.bank = LabelBank(model, templates)
        self.texts = self.bank.of([*self.labels, *self.background])
        self._last: tuple[Image.Image, tuple[ImageTrunk, Tensor, Geometry]] | None = None

    def image(self, image: Image.Image) -> Segmented:
        """The label maps of one image, its segmentation and its scores."""
        trunk, features, geometry = self._features(image)
        grid, count = trunk.grid(), len(self.labels)
        with torch.no_grad():
            empty = (features @ self.bank.empty.T)[0, :, 0]
            plain = (features @ self.texts.T).transpose(1, 2)
            maps = self._label_maps(features, trunk.embeddings).transpose(1, 2)
            raw = (trunk.places @ self.texts.T).transpose(1, 2)
            # The image's own embedding as its only place.
            whole = self._surgery(trunk.embeddings[:, None], trunk.embeddings)[:, 0]
            cosines = _numbers(trunk.embeddings @ self.texts.T)[0]
            before, after = explained_by(plain, empty[None]), explained_by(maps, empty[None])
        shown = _array(maps[0].unflatten(-1, grid))
        scale = self.model.logit_scale
        chance = shares(cosines, scale)
        return Segmented(
            method=self.method,
            mask=self.segment(shown, chance, geometry, scale),
            maps=shown,
            raw=_array(raw[0].unflatten(-1, grid)),
            empty=_array(empty.unflatten(-1, grid)),
            cosines=cosines,
            shares=chance,
            recipes={
                name: values[0, :count]
                for name, values in recognition_scores(cosines[None], _numbers(whole), shown[None], scale).items()
            },
            empty_before=_numbers(before)[0],
            empty_after=_numbers(after)[0],
            geometry=geometry,
        )

    def segment(
        self, maps: NDArray[Any], chance: NDArray[Any], geometry: Geometry, scale: float | None = None
    ) -> NDArray[np.int32]:
        """The mask of maps `(labels and background words, rows, columns)` under this segmenter's options."""
        allowed = chance >= self.options.present
        allowed[len(self.labels) :] = True
        allowed[int(np.argmax(chance))] = True
        scale = self.model.logit_scale if scale is None else scale
        mask = highest(maps, geometry, np.flatnonzero(allowed), confidence=self.options.confidence, scale=scale)
        return np.where(mask > len(self.labels), BACKGROUND, mask).astype(np.int32)

    def caption(self, image: Image.Image, caption: str) -> CaptionTokens:
        """Which places a caption and each of its tokens respond to, less the empty text (not with raw maps)."""
        trunk, features, _ = self._features(image)
        texts = TextTrunk(self.model, [caption])
        pieces, tokens = token_embeddings(texts)[0]
        both = torch.cat([texts.embeddings, tokens])
        with torch.no_grad():
            if self.method == "clip_surgery":
                both = both - self.model.embed_texts([""])
            maps = (features @ both.T)[0].T.unflatten(-1, trunk.grid())
            scores = _numbers(trunk.embeddings @ both.T)[0]
            cosine = float(trunk.embeddings[0] @ texts.embeddings[0])
        found = _array(maps)
        peaks = found[1:].max(axis=(1, 2)).astype(np.float64)
        return CaptionTokens(caption, cosine, found[0], pieces, found[1:], scores[1:], peaks)

    def _features(self, image: Image.Image) -> tuple[ImageTrunk, Tensor, Geometry]:
        # An image and its captions share one forward.
        if self._last is None or self._last[0] is not image:
            self._last = image, self._forward(image)
        return self._last[1]

    def _forward(self, image: Image.Image) -> tuple[ImageTrunk, Tensor, Geometry]:
        pixels, geometry = self.model.preprocess(image)
        trunk = ImageTrunk(self.model, pixels)
        if self.method == "raw":
            return trunk, trunk.places, geometry[0]
        work = Work(self.model, trunk, TextTrunk(self.model, [""]))
        return trunk, surgery_features(work, self.options.depth, self.options.pool), geometry[0]

    def _label_maps(self, features: Tensor, embeddings: Tensor) -> Tensor:
        return features @ self.texts.T if self.method == "raw" else self._surgery(features, embeddings)

    def _surgery(self, features: Tensor, embeddings: Tensor) -> Tensor:
        if len(self.texts) == 1:
            return single_surgery(features, self.texts, self.bank.empty)
        return feature_surgery(features, embeddings, self.texts, self.options.temperature)


def segment(
    model: Model, images: Sequence[Image.Image], labels: Sequence[str], *, templates: Any = None, **options: Any
) -> list[Segmented]:
    """Open-vocabulary segmentation of images. `options` are those of `SegmentationOptions`.

    Raises `InputError` for wrong options and `CapabilityError` if the model has no feature for single places.
    """
    segmenter = Segmenter(model, labels, CARD.parse(options), templates)
    return [segmenter.image(image) for image in images]


def chosen_map(model: Model, wanted: str = "auto") -> tuple[str, str]:
    """The method whose maps are used, and why: CLIP Surgery where the model can serve it, else raw similarity."""
    surgery = METHODS["clip_surgery"].reasons(model.capabilities)["image"]
    raw = METHODS["raw"].reasons(model.capabilities)["image"]
    if wanted == "clip_surgery" and surgery:
        raise CapabilityError(f"CLIP Surgery does not support {model.title}: it {surgery}; use raw maps")
    if wanted != "raw" and surgery is None:
        return "clip_surgery", SUPPORTED
    if raw:
        raise CapabilityError(f"segmentation does not support {model.title}: it {raw}")
    return "raw", REQUESTED if wanted == "raw" else f"CLIP Surgery {surgery}"


def highest(
    maps: NDArray[Any],
    geometry: Geometry,
    allowed: NDArray[Any] | None = None,
    *,
    confidence: float = 0.0,
    scale: float = 100.0,
) -> NDArray[np.int32]:
    """For each pixel of the original the number (from 1) of the map that is highest there, of those in `allowed`.

    Maps `(labels, rows, columns)` are interpolated first. -1 marks pixels the model never saw, 0 those where the
    highest map's share of the softmax at `scale` is below `confidence`. Ties go to the earlier label.
    """
    width, height = mask_size(geometry.width, geometry.height)
    best = np.full((height, width), -np.inf, np.float32)
    number = np.zeros((height, width), np.int32)
    total = np.zeros((height, width), np.float32)
    for index in range(len(maps)) if allowed is None else allowed.tolist():
        placed = geometry.on_original(maps[index], width, height)
        higher = placed > best
        new = np.where(higher, placed, best)
        if confidence > 0:
            with np.errstate(invalid="ignore"):
                total = total * np.exp(scale * (best - new)) + np.exp(scale * (placed - new))
        best, number = new, np.where(higher, index + 1, number)
        seen = np.isfinite(placed)
    if confidence > 0:
        number = np.where(1 / total < confidence, BACKGROUND, number)
    return np.where(seen, number, UNSEEN).astype(np.int32)


def mask_size(width: int, height: int) -> tuple[int, int]:
    """Width and height of the mask of an image."""
    share = min(1.0, MOST_SIDE / max(width, height))
    return max(1, round(width * share)), max(1, round(height * share))


def _numbers(values: Tensor) -> NDArray[np.float64]:
    return values.detach().double().cpu().numpy()


def _array(values: Tensor) -> NDArray[np.float32]:
    return np.ascontiguousarray(values.detach().to("cpu", torch.float32).numpy())
