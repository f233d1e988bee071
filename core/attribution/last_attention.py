"""Last attention: what the token that is read out attends to in the last block, the mean over heads."""

from __future__ import annotations

import torch
from torch import Tensor

from core.attribution.contract import Work
from core.attribution.readout import pooler_attention, reading
from core.attribution.self_attention import ATTENTION_COST, attention, blocks_of
from core.errors import InputError
from core.methods.attention import LastAttentionOptions


def attribute_image(work: Work, options: LastAttentionOptions) -> Tensor:
    """Attention `(images, texts, rows, columns)` of the read-out, the same for every text.

    Without `layer` a tower with an attention pool shows the pool's attention, which is its last one. What class and
    register tokens receive is left out, so that a map sums to at most 1.
    """
    tower, images = work.model.image, work.images
    with torch.no_grad():
        row = reading(tower, images.final)
        if options.layer is not None or pooler_attention(tower, images.final) is None:
            block = entering(options.layer, tower.depth, "image")
            weights = attention(blocks_of(tower)[block], images.entering(block)).mean(dim=1)
            row = (row[:, None] @ weights)[:, 0]
    work.model.meter.image += ATTENTION_COST / tower.depth * len(images)
    maps = row[:, tower.prefix_tokens :].unflatten(-1, images.grid())
    return maps[:, None].expand(-1, len(work.texts), -1, -1)


def attribute_text(work: Work, options: LastAttentionOptions) -> Tensor:
    """Attention `(images, texts, tokens)` of the position (or mean) that is read out, the same for every image."""
    tower, texts = work.model.text, work.texts
    block = entering(options.layer, tower.depth, "text")
    with torch.no_grad():
        weights = attention(tower.blocks[block], texts.entering(block), texts.mask).mean(dim=1)
        row = (tower.readout(texts.ids).to(weights)[:, None] @ weights)[:, 0]
    work.model.meter.text += ATTENTION_COST / tower.depth * len(texts)
    return row.expand(len(work.images), -1, -1)


def entering(layer: int | None, depth: int, side: str) -> int:
    """The block that is read, the last by default. Raises `InputError` if there is none."""
    chosen = depth - 1 if layer is None else layer + depth if layer < 0 else layer
    if not 0 <= chosen < depth:
        raise InputError(f"last_attention: layer must be a block of the {side} side, 0 to {depth - 1}, not {layer}")
    return chosen
