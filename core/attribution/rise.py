"""RISE: the score that is left when random parts of the picture are hidden (Petsiuk et al., BMVC 2018).

The embeddings of the masked pictures don't depend on the text, so all texts are explained from the same ones.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from core.attribution.contract import Work
from core.methods.perturbation import RiseOptions
from core.models.coalitions import embed_coalitions

CHUNK = 32


def attribute_image(work: Work, options: RiseOptions) -> Tensor:
    """Maps `(images, texts, rows, columns)` at the model's grid: how much higher the cosine is where a place is seen.

    With `paper_exact` the published weighted sum of masks, sum(s M) / (N p), whose level is the mean score.
    """
    height, width = work.images.pixels.shape[-2:]
    grid = work.images.grid() if "image_layers" in work.model.capabilities else (options.cells, options.cells)
    visible = torch.cat([_cells(masks, grid) for masks in rise_masks(work, options, height, width)])
    weight = visible if options.paper_exact else visible - visible.mean(dim=0)
    maps = []
    for index in range(len(work.images)):
        embeddings = _pool(work, options, index)
        scores = embeddings @ work.texts.embeddings.T
        scores = scores if options.paper_exact else scores - scores.mean(dim=0)
        maps.append(scores.T @ weight.to(scores) / (len(visible) * options.keep))
    return torch.stack(maps).unflatten(-1, grid)


def rise_masks(work: Work, options: RiseOptions, height: int, width: int) -> Iterator[Tensor]:
    """Visibilities `(some, height, width)`: a coarse random grid, enlarged bilinearly and shifted by part of a cell."""
    generator = work.generator("rise", options.masks, options.cells, options.keep)
    down, across = -(-height // options.cells), -(-width // options.cells)
    for start in range(0, options.masks, CHUNK):
        count = min(CHUNK, options.masks - start)
        coarse = (torch.rand(count, 1, options.cells, options.cells, generator=generator) < options.keep).float()
        size = ((options.cells + 1) * down, (options.cells + 1) * across)
        large = F.interpolate(coarse, size=size, mode="bilinear", align_corners=False)[:, 0]
        tops = torch.randint(0, down, (count,), generator=generator).tolist()
        lefts = torch.randint(0, across, (count,), generator=generator).tolist()
        yield torch.stack(
            [mask[top : top + height, left : left + width] for mask, top, left in zip(large, tops, lefts, strict=True)]
        )


def _cells(masks: Tensor, grid: tuple[int, int]) -> Tensor:
    return F.adaptive_avg_pool2d(masks[:, None], grid)[:, 0].flatten(1)


def _pool(work: Work, options: RiseOptions, index: int) -> Tensor:
    height, width = work.images.pixels.shape[-2:]
    key = ("rise", work.image_keys[index], options.masks, options.cells, options.keep, options.removal)
    if key not in work.pools:
        masks = rise_masks(work, options, height, width)
        work.pools[key] = embed_coalitions(work.model, work.images.pixels[index], masks, options.removal)
    return work.pools[key]
