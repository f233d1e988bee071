"""Semantic priors as released: for each text every masked image is judged again, one after another."""

from __future__ import annotations

import math
from itertools import combinations

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.release.towers import unit_texts
from core.models.model import Model

END_WEIGHT = 10_000.0


def literal(
    model: Model, pixels: Tensor, masks: Tensor, texts: list[str], *, empty_shows_image: bool = False
) -> Tensor:
    """Shapley values `(regions, texts)`, float64, by weighted least squares over all coalitions of the regions.

    `pixels` (3, height, width), `masks` bool `(regions, height, width)`; hidden pixels are black. The release shows
    the whole image for the empty coalition, a fault that `empty_shows_image` brings back.
    """
    mean, std = (torch.tensor(v).to(pixels)[:, None, None] for v in (model.preprocessing.mean, model.preprocessing.std))
    found = []
    for text in texts:
        target = unit_texts(model, [text])[0]
        rows, values = [], []
        for chosen in ordered(len(masks)):
            shown = torch.zeros(masks.shape[1:], dtype=torch.bool)
            for region in chosen:
                shown |= masks[region]
            if empty_shows_image and not chosen:
                shown[:] = True
            image = torch.where(shown.to(pixels.device), pixels, -mean / std)
            with torch.no_grad():
                unit = F.normalize(model.image.plain(image[None])[0], dim=0)
            rows.append([region in chosen for region in range(len(masks))])
            values.append(float(unit.double() @ target.double()))
        found.append(fitted(torch.tensor(rows).double(), torch.tensor(values, dtype=torch.float64)))
    return torch.stack(found, dim=1)


def ordered(regions: int) -> list[tuple[int, ...]]:
    """All coalitions in the released order: sizes 0, M, 1, M - 1, 2, ..."""
    sizes = dict.fromkeys(size for low in range(regions // 2 + 1) for size in (low, regions - low))
    return [chosen for size in sizes for chosen in combinations(range(regions), size)]


def fitted(rows: Tensor, values: Tensor) -> Tensor:
    """The least-squares values `(regions,)`: weights on a full diagonal matrix, normal equations, an inverse."""
    regions = rows.shape[1]
    weights = []
    for size in rows.sum(dim=1).int().tolist():
        if size in (0, regions):
            weights.append(END_WEIGHT)
        else:
            weights.append((regions - 1) / (math.comb(regions, size) * size * (regions - size)))
    diagonal = torch.diag(torch.tensor(weights, dtype=torch.float64))
    design = torch.cat([rows, torch.ones(len(rows), 1, dtype=torch.float64)], dim=1)
    return (torch.linalg.inv(design.T @ diagonal @ design) @ design.T @ diagonal @ values)[:regions]
