"""What a method may want to know about the audited images as a whole."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from core.attribution.contract import Context
from core.models.model import Model
from core.models.trunk import ImageTrunk


def estimate_context(model: Model, batches: Iterable[Tensor], blocks: Iterable[int]) -> Context:
    """Mean and spread of each channel of the states that leave `blocks`, over every place of every image.

    `batches` yields pixels `(images, 3, height, width)`. Sums are kept in float64, so the result depends on the set of
    images and not on how they are batched, up to rounding.
    """
    wanted = sorted(set(blocks))
    sums: dict[int, tuple[Tensor, Tensor, int]] = {}
    for pixels in batches:
        trunk = ImageTrunk(model, pixels)
        for block in wanted:
            state = trunk.entering(block + 1).double()
            dims = (0, 2, 3) if state.ndim == 4 else (0, 1)
            count = state.numel() // state.shape[1 if state.ndim == 4 else 2]
            total, square, n = sums.get(block, (torch.zeros(()), torch.zeros(()), 0))
            sums[block] = (total + state.sum(dim=dims), square + (state**2).sum(dim=dims), n + count)
    channels = {}
    for block, (total, square, n) in sums.items():
        mean = total / n
        spread = (square / n - mean**2).clamp_min(0).sqrt().clamp_min(1e-3)
        channels[block] = (mean.float(), spread.float())
    return Context(channels=channels)
