"""ResCLIP (Yang et al., CVPR 2025, section 3.3): middle blocks' attention mixed into the last block's.

Residual cross-correlation self-attention: A = (1 - blend) A_self + blend * mean over the middle blocks of A_qk. The
second half of the paper, semantic feedback refinement, needs a first segmentation by a label set and is left out.
"""

from __future__ import annotations

import torch
from torch import Tensor

from core.attribution.contract import Work
from core.attribution.self_attention import (
    ATTENTION_COST,
    attention,
    blocks_of,
    correlative,
    neighbourhood,
    reattended,
    self_weights,
)
from core.errors import InputError
from core.methods.dense import ResClipOptions, middle_blocks


def attribute_image(work: Work, options: ResClipOptions) -> Tensor:
    """Cosines `(images, texts, rows, columns)` after the last block with mixed attention.

    Skip connection and feed-forward part are kept where the base method keeps them (SCLIP). Raises `InputError` if the
    middle blocks aren't in the tower.
    """
    near = neighbourhood(*work.images.grid(), options.std, work.model.image.prefix_tokens).to(work.images.final)
    middle = _middle(work, options) if options.blend > 0 else None

    def mix(q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
        if options.base == "sclip":
            own = correlative(q, k, scale)
        else:
            own = self_weights(q, scale) if options.base == "clearclip" else self_weights(k, scale, near)
        return (own if middle is None else (1 - options.blend) * own + options.blend * middle) @ v

    kept = options.base == "sclip"
    return reattended(work, mix, kept, kept)


def _middle(work: Work, options: ResClipOptions) -> Tensor:
    """The attention `(images, 1, tokens, tokens)` of the middle blocks, the mean over blocks and heads."""
    tower = work.model.image
    chosen = middle_blocks(options, tower.depth)
    if not chosen or chosen[-1] >= tower.depth:
        raise InputError(
            f"resclip: first and last must be blocks of the image side, 0 to {tower.depth - 1} with first <= last, "
            f"not {options.first} and {options.last}"
        )
    with torch.no_grad():
        total = torch.zeros(())
        for index in chosen:
            weights = attention(blocks_of(tower)[index], work.images.entering(index))
            total = weights.mean(dim=1, keepdim=True) + total.to(weights)
    work.model.meter.image += ATTENTION_COST * len(chosen) / tower.depth * len(work.images)
    return total / len(chosen)
