"""CLIP Surgery: value-value attention beside the untouched stream, and removal of what all labels share.

Li et al., arXiv:2304.05653. The release builds an (places x labels x channels) tensor; the closed form used here is
equal to it: S = w * A - mean over labels of (w * A), with A the cosines and w the label weights of section 3.3.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from core.attribution.contract import Work
from core.methods.similarity import ClipSurgeryOptions
from core.models.model import Model, checked_templates
from core.models.trunk import TextTrunk

# The release adds five sentences of this form to the 80 templates that CLIP's authors published for ImageNet.
SCENES = (
    "there is a {} in the scene.",
    "there is the {} in the scene.",
    "this is a {} in the scene.",
    "this is the {} in the scene.",
    "this is one {} in the scene.",
)
# Share of a forward that a second pass through a ResNet's attention pool costs.
POOL_COST = 0.05


def attribute_image(work: Work, options: ClipSurgeryOptions) -> Tensor:
    """Maps `(images, texts, rows, columns)`.

    For a label set (two or more texts, or mode "labels") each map depends on the other texts; a set of one label is
    0 everywhere. Mode "single" subtracts the empty text instead.
    """
    features = surgery_features(work, options.depth, options.pool)
    texts = work.texts.embeddings
    single = options.mode == "single" or (options.mode == "auto" and len(texts) == 1)
    if single:
        maps = single_surgery(features, texts, _empty(work))
    else:
        maps = feature_surgery(features, work.images.embeddings, texts, options.temperature)
    return maps.transpose(1, 2).unflatten(-1, work.images.grid())


# -- architecture ---------------------------------------------------------------------------------------------------


def surgery_features(work: Work, depth: int, pool: str = "normalised") -> Tensor:
    """Unit features `(images, places, embedding)` after architecture surgery of the last `depth` blocks.

    A ResNet has one attention, its pool, whichever depth is asked for; depth 0 leaves the features as they are.
    """
    tower, count = work.model.image, len(work.images)
    start = max(tower.depth - depth, 0)
    with torch.no_grad():
        if start == tower.depth:
            return work.images.places
        if "attention_pool" in tower.capabilities:
            work.model.meter.image += POOL_COST * count
            return F.normalize(tower.value_pool(work.images.final, pool == "normalised"), dim=-1)
        stream = work.images.entering(start)
        for block in range(start, tower.depth):
            # V comes from the untouched stream; the new stream has no feed-forward part.
            stream = stream + tower.value_attention(block, work.images.entering(block))
        work.model.meter.image += 0.3 * (tower.depth - start) / tower.depth * count
        return F.normalize(tower.places(stream), dim=-1)


# -- features -------------------------------------------------------------------------------------------------------


def feature_surgery(features: Tensor, embeddings: Tensor, texts: Tensor, temperature: float = 2.0) -> Tensor:
    """Similarity without what the labels share, `(images, places, texts)`.

    `features` `(images, places, embedding)`, `embeddings` `(images, embedding)` and `texts` `(texts, embedding)` are
    unit vectors.
    """
    share = (temperature * embeddings @ texts.T).softmax(dim=-1)
    weight = share / share.mean(dim=-1, keepdim=True)
    similarity = weight[:, None] * (features @ texts.T)
    return similarity - similarity.mean(dim=-1, keepdim=True)


def single_surgery(features: Tensor, texts: Tensor, empty: Tensor) -> Tensor:
    """Similarity of each text on its own, less that of the empty text `(1, embedding)`: `(images, places, texts)`."""
    return features @ (texts - empty).T


def explained_by(maps: Tensor, empty: Tensor) -> Tensor:
    """The share (0 to 1) of each map's variance over places that a linear rule of the empty text's map explains.

    `maps` `(images, texts, places)`, `empty` `(images, places)`; gives `(images, texts)`, NaN where either is
    constant. A share near 1 means that the map says no more than that the model looked at an image.
    """
    maps, empty = maps.double(), empty.double()[:, None]
    spread, reach = maps - maps.mean(-1, keepdim=True), empty - empty.mean(-1, keepdim=True)
    both = (spread**2).sum(-1) * (reach**2).sum(-1)
    flat = both <= 1e-14 * (maps**2).sum(-1) * (empty**2).sum(-1)
    share = (spread * reach).sum(-1) ** 2 / both.clamp_min(torch.finfo(both.dtype).tiny)
    return share.masked_fill(flat, torch.nan)


# -- texts ----------------------------------------------------------------------------------------------------------


def surgery_templates() -> tuple[str, ...]:
    """The 85 templates of the method: the 80 published for ImageNet and five sentences "... in the scene"."""
    from open_clip import OPENAI_IMAGENET_TEMPLATES

    return (*(template("{}") for template in OPENAI_IMAGENET_TEMPLATES), *SCENES)


class LabelBank:
    """Embeddings of labels in one model through one set of templates (85 by default); each label is embedded once."""

    def __init__(self, model: Model, templates: Sequence[str] | None = None) -> None:
        self.model = model
        self.templates = surgery_templates() if templates is None else checked_templates(templates)
        self._known: dict[str, Tensor] = {}

    def of(self, labels: Sequence[str]) -> Tensor:
        """Unit embeddings `(labels, embedding)`."""
        unknown = [label for label in dict.fromkeys(labels) if label not in self._known]
        # A few labels at a time: each is as many sentences as there are templates.
        for start in range(0, len(unknown), 16):
            some = unknown[start : start + 16]
            with torch.no_grad():
                found = self.model.embed_texts(some, self.templates)
            self._known |= dict(zip(some, found, strict=True))
        return torch.stack([self._known[label] for label in labels])

    @property
    def empty(self) -> Tensor:
        """The unit embedding `(1, embedding)` of the empty text."""
        return self.of([""])


def token_embeddings(texts: TextTrunk) -> list[tuple[list[str], Tensor]]:
    """For each text its pieces and the unit embedding `(pieces, embedding)` of each: the readout at that position.

    Training only ever read out one position (or one mean), so what others hold is whatever was left there.
    """
    tower, found = texts.model.text, []
    with torch.no_grad():
        last = texts.entering(tower.depth)
        for row, (positions, pieces) in enumerate(texts.content):
            # Texts of a single position each: whichever position the tower reads, it is this one.
            alone = tower.leave(last[row, positions, None], texts.ids[row, positions, None])
            found.append((pieces, F.normalize(alone, dim=-1)))
    return found


def _empty(work: Work) -> Tensor:
    key = ("empty text", work.texts.templates)
    if key not in work.pools:
        with torch.no_grad():
            work.pools[key] = work.model.embed_texts([""], work.texts.templates)
    return work.pools[key]
