"""Grad-CAM on the cosine of image and text (Selvaraju et al., ICCV 2017, eq. 1-2)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from core.attribution.contract import Work
from core.attribution.gradients import score_gradients
from core.errors import InputError
from core.methods.gradient import GradCamOptions
from core.models.image_tower import TimmCnn


def attribute_image(work: Work, options: GradCamOptions) -> Tensor:
    """Maps `(images, texts, rows, columns)` on the grid of the layer that is read."""
    activation, unit = _forward(work, options)
    (gradient,) = score_gradients(unit, work.texts.embeddings, [activation])
    held = activation.detach()
    if work.model.image.layout == "maps":
        held, gradient = held.flatten(2).transpose(1, 2), gradient.flatten(3).transpose(2, 3)
        every = gradient
        grid = tuple(activation.shape[-2:])
    else:
        prefix = work.model.image.prefix_tokens
        every, held, gradient = gradient, held[:, prefix:], gradient[:, :, prefix:]
        grid = work.images.grid()
    weight = gradient
    if options.weighting == "channel":
        weight = (every if options.average == "tokens" else gradient).mean(dim=2, keepdim=True)
    maps = (weight * held).sum(dim=-1).transpose(0, 1)
    maps = maps.relu() if options.relu else maps
    return maps.unflatten(-1, grid)


def _forward(work: Work, options: GradCamOptions) -> tuple[Tensor, Tensor]:
    tower, layer = work.model.image, options.layer
    if layer is None and isinstance(tower, TimmCnn):
        activation = tower.tail(work.images.final).detach().requires_grad_()
        work.model.meter.image += 3.0 / tower.depth * len(work.images)
        return activation, F.normalize(tower.pool(activation), dim=-1)
    if layer is None:
        # A place enters the last block's attention through a norm, which ignores its scale: gradient times activation
        # sums to 0 there, so the element-wise form reads one block earlier (the release's block 9 of 12).
        layer = -1 if options.weighting == "channel" else max(-2, -tower.depth)
    block = layer + tower.depth if layer < 0 else layer
    if not 0 <= block <= tower.depth:
        raise InputError(f"gradcam: layer must be from 0 to {tower.depth} on this model, not {layer}")
    activation = work.images.entering(block).detach().requires_grad_()
    tail = max(tower.depth - block, 1) / tower.depth
    work.model.meter.image += tail * len(work.images) * (1 + 2 * len(work.texts))
    return activation, F.normalize(tower.leave(tower.run(activation, block)), dim=-1)
