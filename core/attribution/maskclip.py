"""MaskCLIP (Zhou, Loy, Dai, ECCV 2022, section 3.2): in the last attention each place keeps its own value."""

from __future__ import annotations

from torch import Tensor

from core.attribution.contract import Work
from core.attribution.self_attention import POOL_COST, dense_maps, reattended
from core.methods.dense import KeptOptions


def attribute_image(work: Work, options: KeptOptions) -> Tensor:
    """Cosines `(images, texts, rows, columns)` of each place's own value with each text.

    A ResNet of CLIP has its only attention in the pool: there the feature of a place, without the pool's position,
    goes through the value and output projections, and no option applies.
    """
    tower = work.model.image
    if "attention_pool" in tower.capabilities:
        work.model.meter.image += POOL_COST * len(work.images)
        return dense_maps(work, tower.project(work.images.final.flatten(2).transpose(1, 2)))
    return reattended(work, lambda q, k, v, scale: v, options.residual, options.mlp)
