"""LeGrad (Bousselham et al., ICCV 2025): sensitivity of each block's own readout to its attention weights."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from core.attribution.contract import Work
from core.attribution.gradients import score_gradients
from core.attribution.self_attention import blocks_of
from core.methods.gradient import LeGradOptions


def attribute_image(work: Work, options: LeGradOptions) -> Tensor:
    """Maps `(images, texts, rows, columns)`, the mean over the last `layers` blocks.

    The score of a block reads only that block's output, so its gradient never crosses another block.
    """
    tower = work.model.image
    start = max(tower.depth - options.layers, 0)
    total: Tensor | None = None
    for block in range(start, tower.depth):
        kept: list[Tensor] = []

        def attend(weights: Tensor, kept: list[Tensor] = kept) -> Tensor:
            kept.append(weights.detach().requires_grad_())
            return kept[0]

        mean = blocks_of(tower)[block].mean(work.images.entering(block), attend)
        unit = F.normalize(tower.project(mean), dim=-1)
        (gradient,) = score_gradients(unit, work.texts.embeddings, kept)
        part = gradient.relu().mean(dim=(2, 3))
        total = part if total is None else total + part
    assert total is not None
    blocks = tower.depth - start
    work.model.meter.image += blocks / tower.depth * len(work.images) * (1 + 2 * len(work.texts))
    with torch.no_grad():
        maps = (total / blocks)[..., tower.prefix_tokens :].transpose(0, 1)
        return maps.unflatten(-1, work.images.grid())
