"""Transformer blocks of three libraries behind one interface, with attention that can be read and differentiated.

A block is called on the residual stream `(batch, tokens, width)`. Without `attend` it runs the library's own code.
With `attend` it recomputes q, k, v and the softmax from the block's weights and passes the attention weights
`(batch, heads, tokens, tokens)` through `attend`, so that no kernel has to return them. Both agree to rounding.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Attend = Callable[[Tensor], Tensor]


class Block(ABC):
    """One block of a tower."""

    def __init__(self, module: Any) -> None:
        self.module = module

    @abstractmethod
    def plain(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """The library's own forward."""

    @abstractmethod
    def qkv(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, float]:
        """Queries, keys, values `(batch, heads, tokens, head width)` of the residual `x`, and the scale of q k."""

    @abstractmethod
    def add_attention(self, x: Tensor, z: Tensor) -> Tensor:
        """The residual after adding the projected attention output of `z` `(batch, heads, tokens, head width)`."""

    @abstractmethod
    def add_mlp(self, x: Tensor) -> Tensor:
        """The residual after the feed-forward part."""

    def __call__(self, x: Tensor, mask: Tensor | None = None, attend: Attend | None = None) -> Tensor:
        if attend is None:
            return self.plain(x, mask)
        q, k, v, scale = self.qkv(x)
        scores = (q * scale) @ k.transpose(-2, -1)
        if mask is not None:
            scores = scores + mask
        weights = attend(scores.softmax(dim=-1))
        return self.add_mlp(self.add_attention(x, weights @ v))

    def value_attention(self, x: Tensor) -> Tensor:
        """CLIP Surgery's value-value attention of the residual `x`, projected; without the residual itself."""
        _, _, v, scale = self.qkv(x)
        weights = ((v * scale) @ v.transpose(-2, -1)).softmax(dim=-1)
        return self.add_attention(torch.zeros_like(x), weights @ v)


def split_heads(x: Tensor, heads: int) -> Tensor:
    """`(batch, tokens, width)` -> `(batch, heads, tokens, head width)`."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def merge_heads(z: Tensor) -> Tensor:
    """The inverse of `split_heads`."""
    return z.transpose(1, 2).flatten(-2)


class OpenClipBlock(Block):
    """open_clip's `ResidualAttentionBlock`, whose attention is torch's `MultiheadAttention`."""

    def plain(self, x: Tensor, mask: Tensor | None) -> Tensor:
        return self.module(x, attn_mask=mask) if self._batch_first else self._sequence_first(x, mask)

    @property
    def _batch_first(self) -> bool:
        return bool(self.module.attn.batch_first)

    def _sequence_first(self, x: Tensor, mask: Tensor | None) -> Tensor:
        return self.module(x.transpose(0, 1), attn_mask=mask).transpose(0, 1)

    def qkv(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, float]:
        attention = self.module.attn
        packed = F.linear(self.module.ln_1(x), attention.in_proj_weight, attention.in_proj_bias)
        q, k, v = (split_heads(part, attention.num_heads) for part in packed.chunk(3, dim=-1))
        return q, k, v, q.shape[-1] ** -0.5

    def add_attention(self, x: Tensor, z: Tensor) -> Tensor:
        return x + self.module.ls_1(self.module.attn.out_proj(merge_heads(z)))

    def add_mlp(self, x: Tensor) -> Tensor:
        return x + self.module.ls_2(self.module.mlp(self.module.ln_2(x)))


class TimmBlock(Block):
    """timm's pre-norm `Block` with `Attention` (query-key norm and layer scale included)."""

    def plain(self, x: Tensor, mask: Tensor | None) -> Tensor:
        return self.module(x) if mask is None else self.module(x, attn_mask=mask)

    def qkv(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, float]:
        attention = self.module.attn
        packed = attention.qkv(self.module.norm1(x))
        q, k, v = (split_heads(part, attention.num_heads) for part in packed.chunk(3, dim=-1))
        return attention.q_norm(q), attention.k_norm(k), v, float(attention.scale)

    def add_attention(self, x: Tensor, z: Tensor) -> Tensor:
        attention = self.module.attn
        return x + self.module.ls1(attention.proj(attention.norm(merge_heads(z))))

    def add_mlp(self, x: Tensor) -> Tensor:
        return x + self.module.ls2(self.module.mlp(self.module.norm2(x)))


class BertBlock(Block):
    """A post-norm layer of BERT, RoBERTa or XLM-RoBERTa as Hugging Face writes it."""

    def plain(self, x: Tensor, mask: Tensor | None) -> Tensor:
        q, k, v, scale = self.qkv(x)
        z = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=scale)
        return self.add_mlp(self.add_attention(x, z))

    def qkv(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, float]:
        own = self.module.attention.self
        heads = own.num_attention_heads
        q, k, v = (split_heads(part(x), heads) for part in (own.query, own.key, own.value))
        return q, k, v, q.shape[-1] ** -0.5

    def add_attention(self, x: Tensor, z: Tensor) -> Tensor:
        return self.module.attention.output(merge_heads(z), x)

    def add_mlp(self, x: Tensor) -> Tensor:
        return self.module.feed_forward_chunk(x)
