"""GEM (Bousselham et al., CVPR 2024, section 3): self-self attention of queries, keys and values beside the stream."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from core.attribution.contract import Work
from core.attribution.self_attention import blocks_of, dense_maps
from core.methods.dense import ATTENTION, PRODUCTS, GemOptions


def attribute_image(work: Work, options: GemOptions) -> Tensor:
    """Cosines `(images, texts, rows, columns)` of the stream that self-self attention adds up.

    Queries, keys and values come from the untouched stream; the new stream starts as the input of the first of the
    last `depth` blocks and has no feed-forward part.
    """
    tower = work.model.image
    start = max(tower.depth - options.depth, 0)
    with torch.no_grad():
        stream = work.images.entering(start)
        for index in range(start, tower.depth):
            block, state = blocks_of(tower)[index], work.images.entering(index)
            q, k, v, scale = block.qkv(state)
            if options.sharpness is None:
                sharpness = scale * block.reads(state).norm(dim=-1).mean(dim=-1)[:, None, None, None]
            else:
                sharpness = torch.as_tensor(options.sharpness).to(v)
            taken = [_weights(one, sharpness, options.iterations) @ v for one in (q, k, v)]
            stream = block.add_attention(stream, sum(taken[1:], taken[0]) / 3)
        share = (ATTENTION + PRODUCTS * (1 + options.iterations)) * (tower.depth - start) / tower.depth
        work.model.meter.image += share * len(work.images)
        return dense_maps(work, tower.places(stream))


def _weights(one: Tensor, sharpness: Tensor, iterations: int) -> Tensor:
    """Weights of one projection with itself, after averaging its unit vectors with their like `iterations` times."""
    unit = F.normalize(one, dim=-1)
    for _ in range(iterations):
        unit = F.normalize(_like(unit, sharpness) @ unit, dim=-1)
    return _like(unit, sharpness)


def _like(unit: Tensor, sharpness: Tensor) -> Tensor:
    return (sharpness * unit @ unit.transpose(-2, -1)).softmax(dim=-1)
