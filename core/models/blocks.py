"""Transformer blocks of several libraries behind one interface, with attention that can be read and differentiated.

A block is called on the residual stream `(batch, tokens, width)`. Without `attend` it runs the library's own code.
With `attend` it recomputes q, k, v and the softmax from the block's weights and passes the attention weights
`(batch, heads, tokens, tokens)` through `attend`, so that no kernel has to return them. Both agree to rounding.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Attend = Callable[[Tensor], Tensor]
# How far an explicit block may be from the library's own, relative to its largest value.
AGREEMENT = 1e-4


class Block(ABC):
    """One block of a tower."""

    def __init__(self, module: Any) -> None:
        self.module = module

    @property
    def linear(self) -> bool:
        """Whether what `add_attention` adds is linear in `z` but for a constant: no norm stands behind the heads."""
        return True

    @abstractmethod
    def plain(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """The library's own forward."""

    @abstractmethod
    def reads(self, x: Tensor) -> Tensor:
        """What the block's projections to queries, keys and values read of the residual `x`."""

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
        return self.add_mlp(self._attended(x, mask, attend))

    def mean(self, x: Tensor, attend: Attend) -> Tensor:
        """The mean `(batch, width)` over the tokens that leave the block."""
        return self._mean_mlp(self._attended(x, None, attend))

    def _attended(self, x: Tensor, mask: Tensor | None, attend: Attend) -> Tensor:
        q, k, v, scale = self.qkv(x)
        scores = (q * scale) @ k.transpose(-2, -1)
        if mask is not None:
            scores = scores + mask
        return self.add_attention(x, attend(scores.softmax(dim=-1)) @ v)

    def _mean_mlp(self, x: Tensor) -> Tensor:
        return self.add_mlp(x).mean(dim=1)

    def value_attention(self, x: Tensor) -> Tensor:
        """CLIP Surgery's value-value attention of the residual `x`, projected; without the residual itself."""
        _, _, v, scale = self.qkv(x)
        weights = ((v * scale) @ v.transpose(-2, -1)).softmax(dim=-1)
        return self.add_attention(torch.zeros_like(x), weights @ v)


class Slope(torch.autograd.Function):
    """An activation of single numbers whose slope is computed once; torch's own computes it anew for every text."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, activation: nn.Module) -> Tensor:
        with torch.enable_grad():
            leaf = x.detach().requires_grad_()
            values = activation(leaf)
            (slope,) = torch.autograd.grad(values.sum(), leaf)
        ctx.save_for_backward(slope)
        return values.detach()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (slope,) = ctx.saved_tensors
        return gradient * slope, None


def split_heads(x: Tensor, heads: int) -> Tensor:
    """`(batch, tokens, width)` -> `(batch, heads, tokens, head width)`."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def merge_heads(z: Tensor) -> Tensor:
    """The inverse of `split_heads`."""
    return z.transpose(1, 2).flatten(-2)


class OpenClipBlock(Block):
    """open_clip's residual attention blocks of every generation.

    The attention is torch's `MultiheadAttention`, sequence first or batch first, or open_clip's own `Attention`, which
    may norm queries and keys, compare them by a scaled cosine, scale the heads and norm what they give.
    """

    def __init__(self, module: Any) -> None:
        super().__init__(module)
        attention = module.attn
        # Before 2.26 the sequence came first; attention of open_clip's own has no such switch.
        self.batch_first = bool(getattr(attention, "batch_first", True))
        self._needs_heads = isinstance(attention, nn.MultiheadAttention)

    @property
    def linear(self) -> bool:
        parts = (getattr(self.module.attn, "ln_inner", None), getattr(self.module, "ln_attn", None))
        return all(part is None or isinstance(part, nn.Identity) for part in parts)

    def plain(self, x: Tensor, mask: Tensor | None) -> Tensor:
        if mask is not None and mask.ndim == 4:
            mask = mask.expand(len(x), self.module.attn.num_heads, *mask.shape[-2:])
            mask = mask.flatten(0, 1) if self._needs_heads else mask
        if self.batch_first:
            return self.module(x, attn_mask=mask)
        return self.module(x.transpose(0, 1), attn_mask=mask).transpose(0, 1)

    def reads(self, x: Tensor) -> Tensor:
        return self.module.ln_1(x)

    def qkv(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, float]:
        attention = self.module.attn
        packed = F.linear(self.reads(x), attention.in_proj_weight, attention.in_proj_bias)
        q, k, v = (split_heads(part, attention.num_heads) for part in packed.chunk(3, dim=-1))
        scale = q.shape[-1] ** -0.5
        logit_scale = getattr(attention, "logit_scale", None)
        if logit_scale is not None:
            limit = logit_scale.clamp(max=attention.logit_scale_max).exp()
            return F.normalize(q, dim=-1) * limit, F.normalize(k, dim=-1), v, 1.0
        return _own(attention, ("ln_q", "q_norm"), q), _own(attention, ("ln_k", "k_norm"), k), v, scale

    def add_attention(self, x: Tensor, z: Tensor) -> Tensor:
        attention, module = self.module.attn, self.module
        head_scale = getattr(attention, "head_scale", None)
        z = z if head_scale is None else z * head_scale
        out = attention.out_proj(_own(attention, ("ln_inner",), merge_heads(z)))
        return x + _own(module, ("ls_1",), _own(module, ("ln_attn",), out))

    def add_mlp(self, x: Tensor) -> Tensor:
        return x + _own(self.module, ("ls_2",), self.module.mlp(self.module.ln_2(x)))

    def _mean_mlp(self, x: Tensor) -> Tensor:
        # The last layer is linear, so the mean may come before it: half of what a walk back multiplies.
        mlp = self.module.mlp
        hidden = mlp[0](self.module.ln_2(x))
        for part in mlp[1:-1]:
            hidden = Slope.apply(hidden, part) if isinstance(part, nn.GELU) else part(hidden)
        return x.mean(dim=1) + _own(self.module, ("ls_2",), mlp[-1](hidden.mean(dim=1)))


class TimmBlock(Block):
    """timm's pre-norm `Block` with `Attention` (query-key norm and layer scale included)."""

    @property
    def linear(self) -> bool:
        return isinstance(self.module.attn.norm, nn.Identity)

    def plain(self, x: Tensor, mask: Tensor | None) -> Tensor:
        return self.module(x) if mask is None else self.module(x, attn_mask=mask)

    def reads(self, x: Tensor) -> Tensor:
        return self.module.norm1(x)

    def qkv(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, float]:
        attention = self.module.attn
        packed = attention.qkv(self.reads(x))
        q, k, v = (split_heads(part, attention.num_heads) for part in packed.chunk(3, dim=-1))
        return attention.q_norm(q), attention.k_norm(k), v, float(attention.scale)

    def add_attention(self, x: Tensor, z: Tensor) -> Tensor:
        attention = self.module.attn
        return x + self.module.ls1(attention.proj(attention.norm(merge_heads(z))))

    def add_mlp(self, x: Tensor) -> Tensor:
        return x + self.module.ls2(self.module.mlp(self.module.norm2(x)))


class EncoderBlock(Block):
    """A Hugging Face encoder layer: the library's own parts around torch's attention."""

    def plain(self, x: Tensor, mask: Tensor | None) -> Tensor:
        q, k, v, scale = self.qkv(x)
        z = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=scale)
        return self.add_mlp(self.add_attention(x, z))


class BertBlock(EncoderBlock):
    """A post-norm layer of BERT, RoBERTa or XLM-RoBERTa."""

    @property
    def linear(self) -> bool:
        return False

    def reads(self, x: Tensor) -> Tensor:
        return x

    def qkv(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, float]:
        own = self.module.attention.self
        heads = own.num_attention_heads
        q, k, v = (split_heads(part(x), heads) for part in (own.query, own.key, own.value))
        return q, k, v, q.shape[-1] ** -0.5

    def add_attention(self, x: Tensor, z: Tensor) -> Tensor:
        return self.module.attention.output(merge_heads(z), x)

    def add_mlp(self, x: Tensor) -> Tensor:
        return self.module.feed_forward_chunk(x)


class T5Block(EncoderBlock):
    """A pre-norm layer of T5: no biases in its projections, and scores that are not scaled."""

    def reads(self, x: Tensor) -> Tensor:
        return self.module.layer[0].layer_norm(x)

    def qkv(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, float]:
        own, read = self.module.layer[0].SelfAttention, self.reads(x)
        q, k, v = (split_heads(part(read), own.n_heads) for part in (own.q, own.k, own.v))
        return q, k, v, 1.0

    def add_attention(self, x: Tensor, z: Tensor) -> Tensor:
        return x + self.module.layer[0].SelfAttention.o(merge_heads(z))

    def add_mlp(self, x: Tensor) -> Tensor:
        return self.module.layer[-1](x)


class M2MBlock(EncoderBlock):
    """A pre-norm layer of M2M-100."""

    def reads(self, x: Tensor) -> Tensor:
        return self.module.self_attn_layer_norm(x)

    def qkv(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, float]:
        own, read = self.module.self_attn, self.reads(x)
        q, k, v = (split_heads(part(read), own.num_heads) for part in (own.q_proj, own.k_proj, own.v_proj))
        return q, k, v, float(own.scaling)

    def add_attention(self, x: Tensor, z: Tensor) -> Tensor:
        return x + self.module.self_attn.out_proj(merge_heads(z))

    def add_mlp(self, x: Tensor) -> Tensor:
        module = self.module
        return x + module.fc2(module.activation_fn(module.fc1(module.final_layer_norm(x))))


def _own(module: Any, names: tuple[str, ...], x: Tensor) -> Tensor:
    """`x` through the first of the named parts that the module has; unchanged if it has none."""
    part = next((part for name in names if (part := getattr(module, name, None)) is not None), None)
    return x if part is None else part(x)


def open_clip_blocks(modules: Sequence[Any]) -> list[OpenClipBlock] | None:
    """open_clip's blocks if their explicit form gives what the library gives, otherwise None.

    The library's attention has changed under the same name; so the first block (all are built alike) is tried on made
    tokens, of which there are as many as images, so that a change of the axes' order shows as other numbers.
    """
    kinds = {(type(module), type(getattr(module, "attn", None))) for module in modules}
    parts = ("ln_1", "ln_2", "mlp", "attn")
    if len(kinds) != 1 or not all(hasattr(modules[0], part) for part in parts):
        return None
    attention = modules[0].attn
    if getattr(attention, "in_proj_weight", None) is None or not hasattr(attention, "out_proj"):
        return None
    blocks = [OpenClipBlock(module) for module in modules]
    return blocks if _agrees(blocks[0], attention.in_proj_weight) else None


def _agrees(block: OpenClipBlock, weight: Tensor) -> bool:
    width = weight.shape[1]
    made = torch.sin(torch.arange(9.0 * width, device=weight.device, dtype=weight.dtype)).reshape(3, 3, width)
    causal = torch.full((3, 3), float("-inf"), device=weight.device, dtype=weight.dtype).triu(1)
    with torch.no_grad():
        for mask in (None, causal):
            try:
                plain = block(made, mask)
            except (RuntimeError, TypeError, ValueError, AssertionError):
                return False
            explicit = block(made, mask, lambda weights: weights)
            if plain.shape != explicit.shape:
                return False
            if not float((plain - explicit).abs().max()) <= AGREEMENT * float(plain.abs().max()):
                return False
    return True
