"""timm's `Eva`: EVA-01, EVA-02, Perception Encoder and DINOv3, with rotary positions inside every attention."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.models.blocks import Block, merge_heads, split_heads
from core.models.towers.base import TokenTower
from core.models.towers.vit import TimmVit, apart

Table = Callable[[], Tensor | None]


class EvaBlock(Block):
    """timm's `EvaBlock` and `EvaBlockPostNorm` around `EvaAttention` or `AttentionRope`.

    Queries, keys and values come from one projection (EVA-01's with a bias that skips the keys) or from three. `table`
    gives the sines and cosines that turn queries and keys by their place, or None.
    """

    def __init__(self, module: Any, table: Table, post_norm: bool) -> None:
        super().__init__(module)
        self._table = table
        self._post_norm = post_norm

    @property
    def linear(self) -> bool:
        return not self._post_norm and isinstance(self.module.attn.norm, nn.Identity)

    def plain(self, x: Tensor, mask: Tensor | None) -> Tensor:
        return self.module(x, rope=self._table(), attn_mask=mask)

    def reads(self, x: Tensor) -> Tensor:
        return x if self._post_norm else self.module.norm1(x)

    def qkv(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, float]:
        attention, read = self.module.attn, self.reads(x)
        if attention.qkv is None:
            parts = [attention.q_proj(read), attention.k_proj(read), attention.v_proj(read)]
        else:
            bias = attention.qkv.bias
            if getattr(attention, "q_bias", None) is not None:
                bias = torch.cat([attention.q_bias, torch.zeros_like(attention.q_bias), attention.v_bias])
            parts = list(F.linear(read, attention.qkv.weight, bias).chunk(3, dim=-1))
        q, k, v = (split_heads(part, attention.num_heads) for part in parts)
        return self._turned(attention.q_norm(q)), self._turned(attention.k_norm(k)), v, float(attention.scale)

    def _turned(self, x: Tensor) -> Tensor:
        """Queries or keys turned by their place; prefix tokens have none."""
        table = self._table()
        if table is None:
            return x
        from timm.layers import apply_rot_embed_cat

        attention = self.module.attn
        prefix, places = x[:, :, : attention.num_prefix_tokens], x[:, :, attention.num_prefix_tokens :]
        turned = apply_rot_embed_cat(places, table, half=bool(getattr(attention, "rotate_half", False)))
        return torch.cat([prefix, turned], dim=2).type_as(x)

    def add_attention(self, x: Tensor, z: Tensor) -> Tensor:
        module, attention = self.module, self.module.attn
        out = attention.proj(attention.norm(merge_heads(z)))
        if self._post_norm:
            return x + module.norm1(out)
        return x + (out if module.gamma_1 is None else module.gamma_1 * out)

    def add_mlp(self, x: Tensor) -> Tensor:
        module = self.module
        if self._post_norm:
            return x + module.norm2(module.mlp(x))
        out = module.mlp(module.norm2(x))
        return x + (out if module.gamma_2 is None else module.gamma_2 * out)


class EvaVit(TimmVit):
    """timm's `Eva` inside open_clip's `TimmModel`; class token, average or attention (map) pooling."""

    family = "EVA (timm)"

    def __init__(self, module: Any) -> None:
        TokenTower.__init__(self, module)
        trunk, embed = module.trunk, module.trunk.patch_embed
        self.size = tuple(embed.img_size)
        self.patch = (self.size[0] // embed.grid_size[0], self.size[1] // embed.grid_size[1])
        self.depth = len(trunk.blocks)
        self.prefix_tokens = int(trunk.num_prefix_tokens)
        self.pooled_token = 0 if trunk.global_pool == "token" and trunk.attn_pool is None else None
        self._apart = apart(embed) and getattr(trunk.attn_pool, "pos_embed", None) is None
        # A rotary tower has to be told which tokens are left; see `keeping`.
        self.droppable = self._apart
        self.reads_prefix = bool(self.prefix_tokens) and trunk.global_pool in ("token", "map")
        self.blocks = self._made(None)
        if trunk.rope is not None:
            self.family = "EVA with rotary positions (timm)"

    def keeping(self, index: Tensor) -> EvaVit:
        """A tower over the same weights whose rotary table holds only the kept places, for each row its own."""
        if self.module.trunk.rope is None or not self._apart:
            super().keeping(index)
            return self
        places = index[:, self.prefix_tokens :] - self.prefix_tokens
        kept = copy.copy(self)
        kept.blocks = self._made(places)
        return kept

    def enter(self, pixels: Tensor) -> Tensor:
        trunk = self.module.trunk
        tokens, _ = trunk._pos_embed(trunk.patch_embed(pixels))
        return trunk.norm_pre(tokens)

    def _made(self, places: Tensor | None) -> list[Block]:
        return [
            EvaBlock(block, _Table(self.module.trunk, index, places), type(block).__name__ == "EvaBlockPostNorm")
            for index, block in enumerate(self.module.trunk.blocks)
        ]


class _Table:
    """The rotary table of one block, of all places or for each row of a batch of its own `(batch, kept)`."""

    def __init__(self, trunk: Any, block: int, places: Tensor | None) -> None:
        self._trunk, self._block, self._places = trunk, block, places

    def __call__(self) -> Tensor | None:
        if self._trunk.rope is None:
            return None
        table = self._trunk.rope.get_embed()
        # Mixed tables are learned for each block and head: (blocks, heads, places, turns) instead of (places, turns).
        mixed = bool(getattr(self._trunk, "rope_mixed", False))
        table = table[self._block] if mixed else table
        if self._places is None:
            return table
        return table[:, self._places].transpose(0, 1) if mixed else table[self._places].unsqueeze(1)


def known_eva(trunk: Any) -> bool:
    """Whether the trunk is an `Eva` whose every part is known here."""
    from timm.layers import AttentionRope
    from timm.models import eva

    if type(trunk) is not eva.Eva or trunk.dynamic_img_size:
        return False
    if trunk.rope is not None and getattr(trunk.rope, "feat_shape", None) is None:
        return False
    for block in trunk.blocks:
        attention = block.attn
        if type(block) not in (eva.EvaBlock, eva.EvaBlockPostNorm):
            return False
        if type(attention) not in (eva.EvaAttention, AttentionRope) or getattr(attention, "gate", None) is not None:
            return False
        if getattr(attention, "num_kv_groups", 1) != 1:
            return False
    return True
