"""Self-attention read and replaced without touching the model: what the attention and dense methods share.

Attention methods read the softmax of one block or of all; dense methods run the last block once more with other weights
and take the cosine of each place's projected feature with every text, in one matrix product. Both start from the states
that the trunk holds. Tokens are counted with those that are no place (class token, registers): they take part in every
softmax, as in the published methods, and are dropped from the map.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from core.attribution.contract import Work
from core.methods.dense import ATTENTION, MLP
from core.models.blocks import Block
from core.models.towers.base import ImageTower, TokenTower

# Shares of a block's forward: its attention (norm, projections, softmax) and its feed-forward part.
ATTENTION_COST, MLP_COST = ATTENTION, MLP
# Share of a forward that a second pass through a ResNet's attention pool costs.
POOL_COST = 0.05

# From queries, keys and values `(images, heads, tokens, head width)` and the scale of their products to what each
# token takes in, of the same shape.
Mix = Callable[[Tensor, Tensor, Tensor, float], Tensor]


# -- weights ------------------------------------------------------------------------------------------------------


def attention(block: Block, state: Tensor, mask: Tensor | None = None) -> Tensor:
    """The block's own attention weights `(batch, heads, tokens, tokens)` for the state that enters it."""
    q, k, _, scale = block.qkv(state)
    scores = (q * scale) @ k.transpose(-2, -1)
    return (scores if mask is None else scores + mask).softmax(dim=-1)


def self_weights(one: Tensor, scale: float, bias: Tensor | None = None) -> Tensor:
    """Softmax of the products of `one` with itself, times `scale`, plus `bias`: `(images, heads, tokens, tokens)`."""
    scores = (one * scale) @ one.transpose(-2, -1)
    return (scores if bias is None else scores + bias).softmax(dim=-1)


def correlative(q: Tensor, k: Tensor, scale: float, bias: Tensor | None = None) -> Tensor:
    """SCLIP's weights: queries with queries plus keys with keys. Rows sum to 2."""
    return self_weights(q, scale, bias) + self_weights(k, scale, bias)


def neighbourhood(rows: int, columns: int, std: float, prefix: int) -> Tensor:
    """NACLIP's addition to the scores, float64 `(tokens, tokens)`: exp(-d^2 / (2 std^2)) of the distance d in places.

    Places are counted row by row on a grid of any shape. Tokens that are no place get and give 0.
    """
    spots = torch.cartesian_prod(torch.arange(rows), torch.arange(columns)).double().reshape(-1, 2)
    squares = (spots[:, None] - spots[None]).square().sum(dim=-1)
    return F.pad((-squares / (2 * std**2)).exp(), (prefix, 0, prefix, 0))


# -- the last block once more -------------------------------------------------------------------------------------


def blocks_of(tower: ImageTower) -> Sequence[Block]:
    """The blocks of a transformer; a tower that offers attention is one."""
    assert isinstance(tower, TokenTower)
    return tower.blocks


def reattended(work: Work, mix: Mix, residual: bool, mlp: bool) -> Tensor:
    """Maps `(images, texts, rows, columns)` of the last block run with `mix` in place of its attention."""
    return dense_maps(work, reattended_places(work, mix, residual, mlp))


def reattended_places(work: Work, mix: Mix, residual: bool, mlp: bool) -> Tensor:
    """Features `(images, places, embedding)` of the last block run with `mix` in place of its attention.

    `residual` keeps the state that enters the block beside the attention, `mlp` its feed-forward part.
    """
    tower = work.model.image
    block, state = blocks_of(tower)[-1], work.images.entering(tower.depth - 1)
    with torch.no_grad():
        base = state if residual else torch.zeros_like(state)
        out = block.add_attention(base, mix(*block.qkv(state)))
        if mlp:
            out = block.add_mlp(out)
        features = tower.places(out)
    work.model.meter.image += (ATTENTION_COST + (MLP_COST if mlp else 0.0)) / tower.depth * len(work.images)
    return features


def dense_maps(work: Work, features: Tensor) -> Tensor:
    """Cosines `(images, texts, rows, columns)` of the features `(images, places, embedding)` with every text."""
    with torch.no_grad():
        maps = (F.normalize(features, dim=-1) @ work.texts.embeddings.T).transpose(1, 2)
    return maps.unflatten(-1, work.images.grid())
