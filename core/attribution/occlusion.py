"""Occlusion (Zeiler, Fergus, ECCV 2014): how much the score falls when a window of the image is hidden."""

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
    """Every window `(windows, rows, columns)` of `side` cells a side that touches the grid, cut at the border.

    So each cell is hidden by as many windows as any other; with fewer at the border its mean would tie with its
    neighbour's.
    """
    rows, columns = grid
    cells = torch.eye(rows * columns).unflatten(1, grid)[:, None]
    spread = F.max_pool2d(F.pad(cells, (side - 1,) * 4), side, stride=1)
    # One map a cell of the windows that hide it; wanted is one a window.
    return spread.flatten(1).T.unflatten(1, grid).bool()
