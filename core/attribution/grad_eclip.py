"""Grad-ECLIP (Zhao et al., ICML 2024): values weighed by the gradient at the attention's output and by key likeness.

With z the output of a block's attention (all heads, before its projection), v the values, q and k the queries and keys
of all heads, both sent through the attention's output projection, and j the token that is read out:

    map[i] = ReLU( sum over j of  kappa[j, i] * sum over channels of  ds/dz[j] * v[i] ),   kappa = min-max cos(q_j, k_i)

Images: the last block. Texts: the sum over the last blocks inside the ReLU.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from core.attribution.contract import Work
from core.attribution.gradients import score_gradients
from core.methods.gradient import GradEclipOptions
from core.models.blocks import BertBlock, Block, merge_heads, split_heads
from core.settings import byte_budget


def attribute_image(work: Work, options: GradEclipOptions) -> Tensor:
    """Maps `(images, texts, rows, columns)`, at least 0, in units of the cosine.

    A tower that reads one token is read there, any other at all of its tokens. With `paper_exact` the last block runs
    as a single head as wide as the tower: the embedding that is explained then is not the model's.
    """
    tower = work.model.image
    last = tower.depth - 1
    block: Block = tower.blocks[last]  # type: ignore[attr-defined]
    state = work.images.entering(last)
    with torch.no_grad():
        q, k, v, scale = block.qkv(state)
        like, values = _likeness(block, q, k), merge_heads(v)
        heads = q.shape[1]
        if options.paper_exact:
            q, k, v = (merge_heads(part)[:, None] for part in (q, k, v))
            scale = q.shape[-1] ** -0.5
        output = merge_heads(((q * scale) @ k.transpose(-2, -1)).softmax(dim=-1) @ v)
    leaf = output.detach().clone().requires_grad_()
    unit = F.normalize(tower.leave(block.add_mlp(block.add_attention(state, split_heads(leaf, heads)))), dim=-1)
    (gradient,) = score_gradients(unit, work.texts.embeddings, [leaf])
    work.model.meter.image += len(work.images) * (1 + 2 * len(work.texts)) / tower.depth
    rows = slice(None) if tower.pooled_token is None else slice(tower.pooled_token, tower.pooled_token + 1)
    first = tower.prefix_tokens
    kappa = _unit_range(like[:, rows, first:], torch.ones_like(like[0, 0, first:], dtype=torch.bool))
    offered = values[:, first:].transpose(-2, -1)
    # Text by text: a tower that is read everywhere has a square of tokens here.
    maps = torch.stack([(kappa * (one[:, rows] @ offered)).sum(dim=1) for one in gradient], dim=1)
    return maps.relu().unflatten(-1, work.images.grid())


def attribute_text(work: Work, options: GradEclipOptions) -> Tensor:
    """Values `(images, texts, tokens)`, at least 0, in units of the cosine; special tokens get 0.

    With `paper_exact` texts keep their padding, over which the likeness is scaled, the last blocks run as a single
    head as wide as the tower, and the values of a text are divided by their sum.
    """
    tower, texts = work.model.text, work.texts
    start = max(tower.depth - options.text_layers, 0)
    given = _padded(work, start) if options.paper_exact else _Texts(texts.ids, texts.entering(start), texts.mask)
    # The gradients of every image at every kept output.
    size = given.state[0].numel() * 4 * (tower.depth - start) * len(work.images)
    step = max(1, byte_budget() // (16 * size))
    parts = [
        _some_texts(work, given, slice(first, first + step), start, options.paper_exact)
        for first in range(0, len(texts), step)
    ]
    work.model.meter.text += (tower.depth - start) / tower.depth * len(texts) * (1 + 2 * len(work.images))
    found = torch.cat(parts, dim=1)[..., : texts.ids.shape[1]]
    if options.paper_exact:
        found = found / found.sum(dim=-1, keepdim=True).clamp_min(1e-12)
    return found


class _Texts(NamedTuple):
    """Ids `(texts, tokens)`, the state that enters the first block that is read, and the mask of its scores."""

    ids: Tensor
    state: Tensor
    mask: Tensor | None


def _padded(work: Work, start: int) -> _Texts:
    """The texts as the library's tokenizer pads them; a tower that reads its padding has it already."""
    tower, texts = work.model.text, work.texts
    full = tower.full(texts.texts).to(texts.ids.device)
    ids = full if full.shape[1] > texts.ids.shape[1] else texts.ids
    with torch.no_grad():
        state, mask = tower.enter(ids)
        state = tower.run(state, mask, 0, start)
    work.model.meter.text += start / tower.depth * len(texts)
    return _Texts(ids, state, mask)


def _some_texts(work: Work, given: _Texts, some: slice, start: int, exact: bool) -> Tensor:
    tower, texts, mask = work.model.text, work.texts, given.mask
    ids, state = given.ids[some], given.state[some].detach()
    # A mask is of all texts alike, or has a row a text.
    mask = mask if mask is None or len(mask) != len(texts) or mask.ndim == 2 else mask[some]
    if exact and mask is not None and mask.ndim == 4:
        # Positions that differ between heads: one head takes their mean.
        mask = mask.mean(dim=1, keepdim=True)
    outputs, values, likes = [], [], []
    for index in range(start, tower.depth):
        block = tower.blocks[index]
        q, k, v, scale = block.qkv(state)
        heads = q.shape[1]
        if exact:
            q, k, v = (merge_heads(part)[:, None] for part in (q, k, v))
            scale = q.shape[-1] ** -0.5
        scores = (q * scale) @ k.transpose(-2, -1)
        output = merge_heads((scores if mask is None else scores + mask).softmax(dim=-1) @ v)
        # The first output has no graph behind it: it becomes the leaf.
        output = output if output.requires_grad else output.detach().clone().requires_grad_()
        outputs.append(output)
        with torch.no_grad():
            values.append(merge_heads(v))
            likes.append(_likeness(block, q, k))
        state = block.add_mlp(block.add_attention(state, split_heads(output, heads)))
    unit = F.normalize(tower.leave(state, ids), dim=-1)
    gradients = score_gradients(unit, work.images.embeddings, outputs)
    words = torch.zeros(ids.shape, dtype=torch.bool, device=ids.device)
    for row, (positions, _) in enumerate(texts.content[some]):
        words[row, positions] = True
    read = (tower.readout(ids) > 0).to(state)[:, :, None]
    counted = torch.ones_like(words) if exact else words
    total = torch.zeros_like(words, dtype=state.dtype)
    for gradient, value, like in zip(gradients, values, likes, strict=True):
        weighed = read * _unit_range(like, counted[:, None]) * (gradient @ value.transpose(-2, -1))
        total = total + weighed.sum(dim=2)
    return total.relu() * words


def _likeness(block: Block, q: Tensor, k: Tensor) -> Tensor:
    """The cosine of every token's query with every token's key `(batch, tokens, tokens)`, both projected."""
    query, key = (F.normalize(_projected(block, part), dim=-1) for part in (q, k))
    return query @ key.transpose(-2, -1)


def _projected(block: Block, heads: Tensor) -> Tensor:
    if isinstance(block, BertBlock):
        # A post-norm layer's own addition ends in a norm, which is not part of the projection.
        return block.module.attention.output.dense(merge_heads(heads))
    return block.add_attention(torch.zeros_like(merge_heads(heads)), heads)


def _unit_range(values: Tensor, counted: Tensor) -> Tensor:
    """Each row brought to 0..1 by the least and the largest of what is `counted`; 1 where those are equal."""
    low = values.masked_fill(~counted, torch.inf).amin(dim=-1, keepdim=True)
    high = values.masked_fill(~counted, -torch.inf).amax(dim=-1, keepdim=True)
    spread = high - low
    return torch.where(counted & (spread > 0), (values - low) / spread, counted.to(values))
