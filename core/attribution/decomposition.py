"""The image embedding as a sum of parts: blocks, heads and tokens, feed-forward parts, the first state, and biases.

Gandelsman, Efros, Steinhardt, ICLR 2024, eq. 4 to 7. A pre-norm tower's last state is the sum of what its blocks added.
The way from there to the embedding is linear once each norm's own statistics are held at what they are on this image;
an attention pool's weights are held likewise, and its feed-forward part counts as one part of its own. So every part
has an exact product with any direction of the joint space, and the products of all parts sum to that of the embedding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from core.attribution.contract import Work
from core.attribution.readout import Linear, Readout, chained, read_out
from core.attribution.self_attention import ATTENTION_COST, MLP_COST, attention, blocks_of
from core.errors import CapabilityError, InputError
from core.models.blocks import Block, OpenClipBlock, TimmBlock, merge_heads
from core.models.towers.eva import EvaBlock


@dataclass(frozen=True)
class Parts:
    """Products of the embedding's parts with directions; over all parts they sum to that of the embedding.

    heads: `(images, directions, blocks, heads)`, what each head carried from all tokens.
    tokens: `(images, directions, tokens)`, what all heads carried from each token.
    mlps: `(images, directions, blocks)`, feed-forward parts.
    start: `(images, directions)`, the state that enters the first block.
    rest: `(images, directions)`, biases, and an attention pool's own feed-forward part.
    """

    heads: Tensor
    tokens: Tensor
    mlps: Tensor
    start: Tensor
    rest: Tensor

    @property
    def total(self) -> Tensor:
        """The sum `(images, directions)` over all parts."""
        return self.heads.sum(dim=(2, 3)) + self.mlps.sum(dim=2) + self.start + self.rest


@torch.no_grad()
def parts(work: Work, directions: Tensor | None = None) -> Parts:
    """Every part's share of the cosine with each text, or its product with each of `directions (any, embedding)`.

    Products are divided by the embedding's length, so that those with a unit vector sum to the cosine. Feed-forward
    parts are run again, which costs one more forward in all.
    """
    tower = work.model.image
    aims = _aims(work, directions)
    read = read_out(work)
    heads, mlps = [], []
    tokens: Tensor | float = 0.0
    rest = read.rest @ aims.T
    for index, block in enumerate(blocks_of(tower)):
        carried, bias = carried_by(work, read, index, aims)
        state = work.images.entering(index)
        q, k, v, scale = block.qkv(state)
        middle = block.add_attention(state, (q * scale @ k.transpose(-2, -1)).softmax(dim=-1) @ v)
        mlps.append(read.of(block.add_mlp(middle) - middle, aims))
        heads.append(carried.sum(dim=-1))
        tokens = tokens + carried.sum(dim=2)
        rest = rest + bias
    work.model.meter.image += (ATTENTION_COST + MLP_COST) * len(work.images)
    assert isinstance(tokens, Tensor)
    length = _length(work)
    return Parts(
        heads=torch.stack(heads, dim=2) / length[..., None, None],
        tokens=tokens / length[..., None],
        mlps=torch.stack(mlps, dim=2) / length[..., None],
        start=read.of(work.images.entering(0), aims) / length,
        rest=rest / length,
    )


@torch.no_grad()
def head_contributions(work: Work, blocks: Sequence[int] | None = None, directions: Tensor | None = None) -> Tensor:
    """What each head adds to the cosine with each text: `(images, texts, blocks, heads)`.

    `blocks` defaults to all, `directions (any, embedding)` to the texts. Costs the attention of the blocks named,
    whatever the number of texts.
    """
    chosen = range(work.model.image.depth) if blocks is None else blocks
    heads = [carried.sum(dim=-1) for carried in _carried(work, chosen, _aims(work, directions))]
    return torch.stack(heads, dim=2) / _length(work)[..., None, None]


@torch.no_grad()
def token_contributions(work: Work, blocks: Sequence[int], head: int | None = None) -> Tensor:
    """What the heads of `blocks` (or one of them) carry from each token into the cosine: `(images, texts, tokens)`.

    Raises `InputError` for a head that is not there. Costs the attention of those blocks.
    """
    total: Tensor | None = None
    for carried in _carried(work, blocks, work.texts.embeddings):
        heads = carried.shape[2]
        if head is not None and head >= heads:
            raise InputError(f"clip_prs: head must be 0 to {heads - 1}, not {head}")
        found = carried.sum(dim=2) if head is None else carried[:, :, head]
        total = found if total is None else total + found
    assert total is not None
    return total / _length(work)[..., None]


def _carried(work: Work, blocks: Sequence[int], aims: Tensor) -> Iterator[Tensor]:
    read, tower = read_out(work), work.model.image
    for index in blocks:
        yield carried_by(work, read, index, aims)[0]
        work.model.meter.image += ATTENTION_COST / tower.depth * len(work.images)


def carried_by(work: Work, read: Readout, index: int, aims: Tensor) -> tuple[Tensor, Tensor]:
    """What each head of block `index` carries from each token, `(images, aims, heads, tokens)`, and its bias.

    Products with `aims (any, embedding)`, not divided by the embedding's length; the bias is `(images, aims)`.
    """
    block, state = blocks_of(work.model.image)[index], work.images.entering(index)
    v, weights = block.qkv(state)[2], attention(block, state)
    scale, layers = _behind_heads(block)
    v = v if scale is None else v * scale
    chain = chained(layers, merge_heads(weights @ v))
    seen = chain.before(read.matrices @ aims.T)
    reach = torch.einsum("bpj,bhji->bphi", read.rows * chain.rows[:, None], weights)
    # Parts and channels are summed at once: one matrix product a head for all directions.
    taken = (reach[..., None] * v[:, None]).permute(0, 2, 3, 1, 4).flatten(-2)
    each = seen.unflatten(1, (v.shape[1], v.shape[-1])).transpose(0, 1).flatten(1, 2)
    return (taken @ each).permute(0, 3, 1, 2), read.of(chain.constant, aims)


def _behind_heads(block: Block) -> tuple[Tensor | None, list[Any]]:
    """A factor of each head's values, and the layers from the merged heads to what attention adds to the residual."""
    module, inner = block.module, block.module.attn
    if isinstance(block, OpenClipBlock):
        outer = [getattr(module, name, None) for name in ("ln_attn", "ls_1")]
        return getattr(inner, "head_scale", None), [getattr(inner, "ln_inner", None), inner.out_proj, *outer]
    if isinstance(block, TimmBlock):
        return None, [inner.norm, inner.proj, module.ls1]
    if isinstance(block, EvaBlock):
        # A block that norms what it adds reads the residual as it is.
        last = (
            module.norm1
            if type(module).__name__ == "EvaBlockPostNorm"
            else Linear(gain=getattr(module, "gamma_1", None))
        )
        return None, [inner.norm, inner.proj, last]
    raise CapabilityError(f"clip_prs cannot decompose the attention of a {type(module).__name__}")


def _aims(work: Work, directions: Tensor | None) -> Tensor:
    return work.texts.embeddings if directions is None else directions


def _length(work: Work) -> Tensor:
    return work.model.image.leave(work.images.final).norm(dim=-1, keepdim=True)
