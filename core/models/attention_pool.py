"""CLIP's own ResNets: convolutional stages, and one attention over all places in the end instead of an average."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from core.models.blocks import merge_heads, split_heads
from core.models.towers.base import ImageTower, exactly
from core.models.towers.maps import TimmCnn


class OpenClipResNet(TimmCnn):
    """open_clip's `ModifiedResNet`: its pool is one attention over all places and their mean, which is read out."""

    family = "ResNet with an attention pool (open_clip)"

    def __init__(self, module: Any) -> None:
        ImageTower.__init__(self, module)
        self._stem, self._tail = [module.stem], []
        self._stages = [module.layer1, module.layer2, module.layer3, module.layer4]
        self.depth = len(self._stages)
        self.size = (int(module.image_size), int(module.image_size))

    @property
    def capabilities(self) -> frozenset[str]:
        return frozenset({"embeddings", "places", "image_layers", "attention_pool"})

    def check(self, pixels: Tensor) -> None:
        exactly(pixels, self.size)

    def pool(self, features: Tensor) -> Tensor:
        return self.module.attnpool(features)

    def project(self, vectors: Tensor) -> Tensor:
        # Attention of one place to itself alone is its value, so the pool becomes a projection.
        return self.module.attnpool.c_proj(self.module.attnpool.v_proj(vectors))

    def places(self, state: Tensor) -> Tensor:
        return self.project(self._tokens(state)[:, 1:])

    def value_pool(self, state: Tensor, normalised: bool) -> Tensor:
        pool = self.module.attnpool
        v = split_heads(pool.v_proj(self._tokens(state)), pool.num_heads)
        like, scale = (F.normalize(v, dim=-1), 8 * v.shape[-1] ** -0.5) if normalised else (v, v.shape[-1] ** -0.5)
        weights = (scale * like @ like.transpose(-2, -1)).softmax(dim=-1)
        return pool.c_proj(merge_heads(weights @ v))[:, 1:]

    def _tokens(self, state: Tensor) -> Tensor:
        places = state.flatten(2).transpose(1, 2)
        return torch.cat([places.mean(dim=1, keepdim=True), places], dim=1) + self.module.attnpool.positional_embedding
