"""The backward rules of AttnLRP: under them input times gradient is relevance (Achtibat et al., ICML 2024).

A function of torch mode swaps them in for what runs inside it; no module is touched. Forward values stay the same.

* norm: its spread counts as constant, so that it is linear;
* activation y = a(x): what reaches y reaches x, i.e. the slope is y / x;
* product of two things that both depend on the input: half to each. In attention the values get a half, the weights
  the other, which queries and keys share: a quarter each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from core.errors import CapabilityError
from core.models.blocks import Block, merge_heads, split_heads

# Leaf modules whose rule is here or that are linear; anything else would silently keep its plain gradient.
KNOWN = {
    "Linear", "NonDynamicallyQuantizableLinear", "LayerNorm", "LayerNormFp32", "GELU", "GELUActivation", "QuickGELU",
    "SiLU", "Tanh", "ReLU", "Identity", "Dropout", "Dropout1d", "DropPath", "LayerScale", "MultiheadAttention",
    "Conv2d", "Embedding", "Sequential", "PatchDropout",
}  # fmt: skip


class RelevanceRules(TorchFunctionMode):
    """While it is entered, gradients follow the rules above."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        rule = RULES.get(func)
        # Inside this method the mode is off: a rule calls torch's own functions.
        return (rule or func)(*args, **(kwargs or {}))


def check_rules(module: torch.nn.Module, title: str) -> None:
    """Raises `CapabilityError` if a tower has parts that no rule is known for."""
    names = {type(part).__name__: bool(list(part.children())) for part in module.modules()}
    # A gated unit multiplies two of its layers without a module for the product.
    strange = sorted(name for name, inner in names.items() if "glu" in name.lower() or not (inner or name in KNOWN))
    if strange:
        raise CapabilityError(f"attnlrp has no rule for {', '.join(strange)}, which {title} contains")


def share(value: Tensor, part: float) -> Tensor:
    """The same value, of whose gradient only `part` goes on."""
    fixed = value.detach()
    return fixed + part * (value - fixed)


def relevant_block(block: Block, state: Tensor, mask: Tensor | None = None) -> Tensor:
    """The state that leaves a transformer block, its attention under the rule of products. Call it inside the rules."""
    q, k, v, scale = block.qkv(state)
    z = _attention(q, k, v, mask, scale)
    return block.add_mlp(block.add_attention(state, z))


def unit(embedding: Tensor) -> Tensor:
    """The unit embedding, its length counted as constant."""
    return embedding / embedding.detach().norm(dim=-1, keepdim=True)


def _attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, scale: float) -> Tensor:
    scores = (share(q, 0.25) * scale) @ share(k, 0.25).transpose(-2, -1)
    weights = (scores if mask is None else scores + mask).softmax(dim=-1)
    return weights @ share(v, 0.5)


def _layer_norm(
    x: Tensor, shape: Any, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    dims = tuple(range(-len(shape), 0))
    centred = x - x.mean(dim=dims, keepdim=True)
    spread = (x.detach().var(dim=dims, keepdim=True, correction=0) + eps).sqrt()
    y = centred / spread
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def _through(function: Callable[..., Tensor], slope: float) -> Callable[..., Tensor]:
    """The rule of an activation with a(0) = 0, whose slope at 0 is `slope`."""

    def rule(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        kwargs.pop("inplace", None)
        fixed = x.detach()
        y = function(fixed, *args, **kwargs)
        ratio = torch.where(fixed == 0, slope, y / torch.where(fixed == 0, 1.0, fixed))
        return y + ratio * (x - fixed)

    return rule


def _gate(x: Tensor) -> Tensor:
    # An activation written as x times a gate of x: the gate counts as constant.
    return torch.sigmoid(x.detach())


def _fused(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    attn_mask: Tensor | None = None,
    *rest: Any,
    scale: float | None = None,
    **more: Any,
) -> Tensor:
    return _attention(q, k, v, attn_mask, q.shape[-1] ** -0.5 if scale is None else scale)


def _multi_head(query: Tensor, key: Tensor, value: Tensor, width: int, heads: int, *rest: Any, **more: Any) -> Any:
    """A pool's attention, tokens first: `(tokens, batch, width)`, without masks or added tokens."""
    in_weight, in_bias, _, _, _, _, out_weight, out_bias = rest[:8]
    if more.get("use_separate_proj_weight"):
        weights = (more["q_proj_weight"], more["k_proj_weight"], more["v_proj_weight"])
    else:
        weights = in_weight.chunk(3)
    biases = (None, None, None) if in_bias is None else in_bias.chunk(3)
    given = (query, key, value)
    q, k, v = (
        split_heads(F.linear(x.transpose(0, 1), w, b), heads) for x, w, b in zip(given, weights, biases, strict=True)
    )
    z = merge_heads(_attention(q, k, v, None, q.shape[-1] ** -0.5))
    return F.linear(z, out_weight, out_bias).transpose(0, 1), None


RULES: dict[Any, Callable[..., Any]] = {
    F.layer_norm: _layer_norm,
    F.gelu: _through(F.gelu, 0.5),
    F.silu: _through(F.silu, 0.5),
    torch.tanh: _through(torch.tanh, 1.0),
    torch.sigmoid: _gate,
    F.scaled_dot_product_attention: _fused,
    F.multi_head_attention_forward: _multi_head,
}
