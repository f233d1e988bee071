"""CLIP Surgery: value-value attention beside the untouched stream, and removal of what all labels share.

Li et al., arXiv:2304.05653. The release builds an (places x labels x channels) tensor; the closed form used here is
equal to it: S = w * A - mean over labels of (w * A), with A the cosines and w the label weights of section 3.3.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from core.attribution.contract import Work
from core.methods.similarity import ClipSurgeryOptions


def attribute_image(work: Work, options: ClipSurgeryOptions) -> Tensor:
    """Maps `(images, texts, rows, columns)`.

    For a label set (two or more texts, or mode "labels") each map depends on the other texts; a set of one label is
    0 everywhere. Mode "single" subtracts the empty text instead.
    """
    features = surgery_features(work, options.depth)
    texts = work.texts.embeddings
    single = options.mode == "single" or (options.mode == "auto" and len(texts) == 1)
    if single:
        empty = work.model.embed_texts([""], work.texts.templates)
        maps = features @ (texts - empty).T
    else:
        maps = feature_surgery(features, work.images.embeddings, texts, options.temperature)
    return maps.transpose(1, 2).unflatten(-1, work.images.grid())


def surgery_features(work: Work, depth: int) -> Tensor:
    """Unit features `(images, places, embedding)` after architecture surgery of the last `depth` blocks."""
    tower = work.model.image
    start = max(tower.depth - depth, 0)
    with torch.no_grad():
        if start == tower.depth:
            return work.images.places
        stream = work.images.entering(start)
        for block in range(start, tower.depth):
            # V comes from the untouched stream; the new stream has no feed-forward part.
            stream = stream + tower.value_attention(block, work.images.entering(block))
        work.model.meter.image += 0.3 * (tower.depth - start) / tower.depth * len(work.images)
        return F.normalize(tower.places(stream), dim=-1)


def feature_surgery(features: Tensor, embeddings: Tensor, texts: Tensor, temperature: float = 2.0) -> Tensor:
    """Similarity without what the labels share, `(images, places, texts)`.

    `features` `(images, places, embedding)`, `embeddings` `(images, embedding)` and `texts` `(texts, embedding)` are
    unit vectors.
    """
    share = (temperature * embeddings @ texts.T).softmax(dim=-1)
    weight = share / share.mean(dim=-1, keepdim=True)
    similarity = weight[:, None] * (features @ texts.T)
    return similarity - similarity.mean(dim=-1, keepdim=True)
