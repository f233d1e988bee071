"""Vision transformers: open_clip's own and timm's, with class token, average or attention pooling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from core.models.blocks import Attend, Block, OpenClipBlock, TimmBlock
from core.models.towers.base import TokenTower, alone


class OpenClipVit(TokenTower):
    """open_clip's built-in `VisionTransformer`: class token, learned positions; token, average or CoCa's attentional
    pooling (one pooler, or two in parallel or in a cascade).
    """

    family = "ViT (open_clip)"
    prefix_tokens = 1

    def __init__(self, module: Any, blocks: Sequence[OpenClipBlock]) -> None:
        super().__init__(module)
        self.blocks = blocks
        self.depth = len(blocks)
        self.patch = tuple(module.patch_size)
        self.size = tuple(module.image_size)
        self.pooled_token = 0 if module.pool_type == "tok" and module.attn_pool is None else None
        self.droppable = True
        self.reads_prefix = self.pooled_token is not None or module.attn_pool is not None
        if module.attn_pool is not None:
            self.family = "ViT with an attentional pooler (open_clip)"

    def enter(self, pixels: Tensor) -> Tensor:
        return self.module._embeds(pixels)

    def plain(self, pixels: Tensor) -> Tensor:
        # Two poolers keep an axis of the one query that is read.
        return super().plain(pixels).flatten(1)

    def leave(self, state: Tensor) -> Tensor:
        pooled, _ = self.module._pool(state)
        return (pooled if self.module.proj is None else pooled @ self.module.proj).flatten(1)

    def project(self, vectors: Tensor) -> Tensor:
        module = self.module
        if module.attn_pool is None:
            normed = module.ln_post(vectors)
        elif module.attn_pool_contrastive is None:
            normed = module.ln_post(alone(vectors, _first(module.attn_pool)))
        else:
            # Two poolers: the norm comes before them, and a cascade's second one reads what the first one gives.
            normed = module.ln_post(vectors)
            if module.attn_pool_type == "cascade":
                normed = alone(normed, _first(module.attn_pool))
            normed = alone(normed, _first(module.attn_pool_contrastive))
        return normed if module.proj is None else normed @ module.proj


def _first(pool: Any) -> Any:
    """All queries of an attentional pooler answer alike if there is one token: the first answer stands for all."""
    return lambda tokens: pool(tokens)[:, :1]


class TimmVit(TokenTower):
    """timm's `VisionTransformer` inside open_clip's `TimmModel`: class token, average or attention (map) pooling.

    Patches are cut by one convolution or by a convolutional stem (MobileCLIP-B, ViTamin).
    """

    family = "ViT (timm)"

    def __init__(self, module: Any) -> None:
        super().__init__(module)
        trunk, embed = module.trunk, module.trunk.patch_embed
        self.blocks: Sequence[Block] = [TimmBlock(block) for block in trunk.blocks]
        self.depth = len(trunk.blocks)
        self.size = tuple(embed.img_size)
        # A stem has a patch of 1; what a place covers is the image's share.
        self.patch = (self.size[0] // embed.grid_size[0], self.size[1] // embed.grid_size[1])
        self.prefix_tokens = int(trunk.num_prefix_tokens)
        self.pooled_token = 0 if trunk.global_pool == "token" and trunk.attn_pool is None else None
        self.droppable = apart(embed) and getattr(trunk.attn_pool, "pos_embed", None) is None
        self.reads_prefix = bool(self.prefix_tokens) and trunk.global_pool in ("token", "map")

    def enter(self, pixels: Tensor) -> Tensor:
        trunk = self.module.trunk
        return trunk.norm_pre(trunk.patch_drop(trunk._pos_embed(trunk.patch_embed(pixels))))

    def leave(self, state: Tensor) -> Tensor:
        trunk = self.module.trunk
        return self.module.head(trunk.forward_head(trunk.norm(state)))

    def project(self, vectors: Tensor) -> Tensor:
        trunk = self.module.trunk
        normed = trunk.norm(vectors)
        normed = normed if trunk.attn_pool is None else alone(normed, trunk.attn_pool)
        return self.module.head(trunk.head(trunk.head_drop(trunk.fc_norm(normed))))


def apart(embed: nn.Module) -> bool:
    """Whether no pixel reaches two patches: every convolution steps as far as it reaches, and nothing else mixes."""
    for part in embed.modules():
        if isinstance(part, nn.Conv2d):
            padded = part.padding != "valid" if isinstance(part.padding, str) else any(part.padding)
            if tuple(part.kernel_size) != tuple(part.stride) or padded:
                return False
        elif "Pool" in type(part).__name__ or "Padding" in type(part).__name__:
            return False
    return True


class TimmRelPosVit(TokenTower):
    """timm's `VisionTransformerRelPos`: each block adds a bias for how far two places lie apart to its scores.

    The weights therefore are not those of queries and keys alone, and the bias needs the whole grid.
    """

    family = "ViT with relative positions (timm)"

    def __init__(self, module: Any) -> None:
        super().__init__(module)
        trunk = module.trunk
        self.depth = len(trunk.blocks)
        self.size = tuple(trunk.patch_embed.img_size)
        self.patch = tuple(trunk.patch_embed.patch_size)
        self.prefix_tokens = int(trunk.num_prefix_tokens)
        self.pooled_token = 0 if trunk.global_pool == "token" else None

    @property
    def capabilities(self) -> frozenset[str]:
        return frozenset({"embeddings", "places", "image_layers"})

    def enter(self, pixels: Tensor) -> Tensor:
        trunk = self.module.trunk
        tokens = trunk.patch_embed(pixels)
        if trunk.cls_token is None:
            return tokens
        return torch.cat([trunk.cls_token.expand(len(tokens), -1, -1), tokens], dim=1)

    def block(self, index: int, state: Tensor, attend: Attend | None = None) -> Tensor:
        if attend is not None:
            raise NotImplementedError(f"{self.family} has no attention that can be read without its bias")
        trunk = self.module.trunk
        shared = None if trunk.shared_rel_pos is None else trunk.shared_rel_pos.get_bias()
        return trunk.blocks[index](state, shared_rel_pos=shared)

    def value_attention(self, index: int, state: Tensor) -> Tensor:
        raise NotImplementedError(f"{self.family} has no attention that can be read without its bias")

    def leave(self, state: Tensor) -> Tensor:
        trunk = self.module.trunk
        return self.module.head(trunk.forward_head(trunk.norm(state)))

    def project(self, vectors: Tensor) -> Tensor:
        trunk = self.module.trunk
        return self.module.head(trunk.head(trunk.head_drop(trunk.fc_norm(trunk.norm(vectors)))))
