"""Occlusion (Zeiler, Fergus, ECCV 2014): how much the score falls when a window of the picture is hidden."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from core.attribution.contract import Work
from core.attribution.draws import cell_grid, pool_of
from core.methods.perturbation import OcclusionOptions


def attribute_image(work: Work, options: OcclusionOptions) -> Tensor:
    """Maps `(images, texts, rows, columns)`: the fall of the cosine, averaged over the windows that hide a cell."""
    grid = cell_grid(work, options.cells)
    hidden = windows(grid, options.window)
    covered = hidden.flatten(1).double()
    maps = []
    for index in range(len(work.images)):
        whole = torch.ones(1, *grid, dtype=torch.bool)
        embeddings = pool_of(work, index, options.removal).embeddings(torch.cat([whole, ~hidden]))
        scores = (embeddings @ work.texts.embeddings.T).double().cpu()
        fall = scores[:1] - scores[1:]
        maps.append((fall.T @ covered) / covered.sum(dim=0))
    return torch.stack(maps).unflatten(-1, grid)


def windows(grid: tuple[int, int], side: int) -> Tensor:
    """One window `(windows, rows, columns)` of `side` cells a side around each cell, cut at the border.

    An even side reaches one cell further up and left than down and right.
    """
    rows, columns = grid
    cells = torch.eye(rows * columns).unflatten(1, grid)[:, None]
    before, after = (side - 1) // 2, side // 2
    spread = F.max_pool2d(F.pad(cells, (before, after, before, after)), side, stride=1)
    return spread[:, 0].bool()
