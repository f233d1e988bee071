"""RISE: the score that is left when random parts of the image are hidden (Petsiuk et al., BMVC 2018).

The embeddings of the masked images do not depend on the text, so all texts are explained from the same ones.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from core.attribution.contract import Measured, Work
from core.attribution.draws import cell_grid, kept_cells, pool_of
from core.attribution.surrogate import Surrogate, fit, halves_agree
from core.methods.perturbation import RiseOptions
from core.models.coalitions import embed_coalitions

CHUNK = 32
# Adaptive stopping looks after this many coalitions, then after each doubling.
FIRST_LOOK = 64


def attribute_image(work: Work, options: RiseOptions) -> Measured:
    """Maps `(images, texts, rows, columns)`: how much higher the cosine is where a place is seen.

    Least squares: the additive surrogate's coefficients on its cells, with 95 % half-widths and, in the details, the
    surrogate's R2 and the coalitions used by each text. Otherwise the weighted sum of the published soft masks at the
    model's grid, centred or, with `paper_exact`, as published: sum(s M) / (N p), whose level is the mean score.
    """
    if options.paper_exact or options.estimator == "centred":
        return Measured(_soft(work, options))
    grid = cell_grid(work, options.cells)
    found = [_fitted(work, options, index, grid) for index in range(len(work.images))]
    # A coefficient is the change of the score from hidden to seen; the centred sum estimates it times 1 - keep.
    return Measured(
        torch.stack([fitted.coefficients.T for fitted, _ in found]).unflatten(-1, grid),
        torch.stack([fitted.half_width.T for fitted, _ in found]).unflatten(-1, grid),
        {
            "r2": torch.stack([fitted.r2 for fitted, _ in found]),
            "coalitions": torch.stack([used for _, used in found]),
        },
    )


def _fitted(work: Work, options: RiseOptions, index: int, grid: tuple[int, int]) -> tuple[Surrogate, Tensor]:
    pool, texts = pool_of(work, index, options.removal), work.texts.embeddings
    every = kept_cells(work, index, grid, options.masks, options.keep)
    if options.stop_at is None:
        scores = (pool.embeddings(every) @ texts.T).cpu()
        used = torch.full((len(texts),), len(every), dtype=torch.float64)
        return fit(every.flatten(1), scores), used
    # Each text stops by itself, so that it does not matter which texts it is asked with.
    parts: dict[int, Surrogate] = {}
    used = torch.zeros(len(texts), dtype=torch.float64)
    count = min(FIRST_LOOK, len(every))
    while len(parts) < len(texts):
        open_texts = [text for text in range(len(texts)) if text not in parts]
        rows = every[:count].flatten(1)
        scores = (pool.embeddings(every[:count]) @ texts[open_texts].T).cpu()
        fitted = fit(rows, scores)
        steady = halves_agree(rows, scores, fitted.penalty)
        for place, text in enumerate(open_texts):
            if count == len(every) or float(steady[place]) >= options.stop_at:
                parts[text] = Surrogate(*(value[..., place] for value in vars(fitted).values()))
                used[text] = count
        count = min(2 * count, len(every))
    stacked = [torch.stack([vars(parts[text])[name] for text in range(len(texts))], dim=-1) for name in vars(parts[0])]
    return Surrogate(*stacked), used


def _soft(work: Work, options: RiseOptions) -> Tensor:
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
    # Soft masks only mean something for pixels.
    removal = "mean" if options.removal in ("auto", "drop") else options.removal
    key = ("rise", work.image_keys[index], options.masks, options.cells, options.keep, removal)
    if key not in work.pools:
        masks = rise_masks(work, options, height, width)
        work.pools[key] = embed_coalitions(work.model, work.images.pixels[index], masks, removal)
    return work.pools[key]
