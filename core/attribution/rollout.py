"""Attention rollout (Abnar, Zuidema, ACL 2020, eq. 1): the product of every block's attention, skip included."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from core.attribution.contract import Work
from core.attribution.readout import reading
from core.attribution.self_attention import ATTENTION_COST, attention, blocks_of
from core.methods.attention import RolloutOptions
from core.models.blocks import Block


def attribute_image(work: Work, options: RolloutOptions) -> Tensor:
    """The read-out's share `(images, texts, rows, columns)` in each place, the same for every text.

    What falls on class and register tokens is left out, so that a map sums to at most 1.
    """
    tower, images = work.model.image, work.images
    count = min(options.layers or tower.depth, tower.depth)
    with torch.no_grad():
        row = followed(reading(tower, images.final), blocks_of(tower), images.entering, None, count)
    work.model.meter.image += ATTENTION_COST * count / tower.depth * len(images)
    maps = row[:, tower.prefix_tokens :].unflatten(-1, images.grid())
    return maps[:, None].expand(-1, len(work.texts), -1, -1)


def attribute_text(work: Work, options: RolloutOptions) -> Tensor:
    """The read-out's share `(images, texts, tokens)` in each position, the same for every image."""
    tower, texts = work.model.text, work.texts
    count = min(options.layers or tower.depth, tower.depth)
    with torch.no_grad():
        start = tower.readout(texts.ids).to(texts.entering(0))
        row = followed(start, tower.blocks, texts.entering, texts.mask, count)
    work.model.meter.text += ATTENTION_COST * count / tower.depth * len(texts)
    return row.expand(len(work.images), -1, -1)


def followed(
    row: Tensor, blocks: Sequence[Block], entering: Callable[[int], Tensor], mask: Tensor | None, count: int
) -> Tensor:
    """The row vectors `(batch, tokens)` times (A + 1) / 2 of the last `count` blocks, from the last one backwards.

    A is the mean over heads. A vector from the left costs a matrix-vector product a block; whole matrices would give
    the same row.
    """
    for index in reversed(range(len(blocks) - count, len(blocks))):
        weights = attention(blocks[index], entering(index), mask).mean(dim=1)
        row = (row + (row[:, None] @ weights)[:, 0]) / 2
    return row
