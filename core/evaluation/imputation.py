"""ROAD: hidden cells are filled in from their surroundings instead of being painted (Rong et al., ICML 2022).

A hole of one colour has a shape, and the model may read the shape. Here each hidden block of the image is the
weighted mean of its eight neighbours (1/6 beside, 1/12 across a corner), which is one sparse linear system an image,
and a little noise hides that it was smooth. Blocks are 1/28 of the side: the paper solves for pixels, and what a whole
hidden cell is filled with is smooth on that scale anyway.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from core.deferred import Deferred
from core.models.coalitions import cell_masks
from core.models.model import Model

sparse, spsolve = Deferred("scipy.sparse"), Deferred("scipy.sparse.linalg", "spsolve")

BLOCKS = 28
NOISE = 0.01
_BESIDE, _ACROSS = 1 / 6, 1 / 12


class ImputedPool:
    """Unit embeddings of one image `(3, height, width)` for sets of kept cells, hidden ones filled in.

    Asked like a `CoalitionPool`, for `core.evaluation.curves.curves`. The noise is the same in every set, so that two
    sets differ by what they hide alone. Where nothing is kept there is nothing to fill from: the mean colour.
    """

    removal = "road"

    def __init__(self, model: Model, pixels: Tensor, generator: torch.Generator) -> None:
        self.model, self.pixels = model, pixels
        spread = torch.tensor(model.preprocessing.std)[:, None, None]
        self._noise = NOISE / spread * torch.randn(pixels.shape, generator=generator)

    @property
    def token_grid(self) -> tuple[int, int]:
        """Not asked for: cells of any grid are filled in."""
        return BLOCKS, BLOCKS

    def embeddings(self, kept: Tensor) -> Tensor:
        """Unit embeddings `(coalitions, embedding)` of the kept cells `(coalitions, rows, columns)`, bool."""
        step, found = self.model.image_batch(self.pixels.shape[-2:]), []
        with torch.no_grad():
            for part in kept.cpu().split(step):
                filled = torch.stack([filled_in(self.pixels.cpu(), cells, self._noise) for cells in part])
                found.append(self.model.bulk(filled.to(self.pixels.device)))
                self.model.meter.image += len(part)
        return F.normalize(torch.cat(found), dim=-1)


def filled_in(pixels: Tensor, kept: Tensor, noise: Tensor | None = None) -> Tensor:
    """An image `(3, height, width)` with the cells outside `kept` `(rows, columns)` filled in, plus `noise` there."""
    height, width = pixels.shape[-2:]
    visible = cell_masks(kept[None].bool(), height, width)[0] > 0
    rows, columns = min(BLOCKS, height), min(BLOCKS, width)
    # A block that a hidden pixel reaches is hidden.
    hidden = F.adaptive_max_pool2d((~visible).float()[None], (rows, columns))[0].bool().numpy()
    blocks = F.adaptive_avg_pool2d(pixels[None].float(), (rows, columns))[0].double().numpy()
    solved = torch.from_numpy(solve(blocks, hidden)).to(pixels.dtype)
    smooth = F.interpolate(solved[None], size=(height, width), mode="bilinear", align_corners=False)[0]
    return torch.where(visible, pixels, smooth if noise is None else smooth + noise.to(pixels.dtype))


def solve(values: NDArray[np.float64], hidden: NDArray[np.bool_]) -> NDArray[np.float64]:
    """`values` `(channels, rows, columns)` with each hidden one the weighted mean of its neighbours; 0 if all are."""
    if not hidden.any():
        return values
    if hidden.all():
        return np.zeros_like(values)
    rows, columns = hidden.shape
    number = np.full(hidden.shape, -1)
    number[hidden] = np.arange(hidden.sum())
    at_row, at_column = np.nonzero(hidden)
    own = number[at_row, at_column]
    total, right = np.zeros(len(own)), np.zeros((len(own), len(values)))
    entries: list[tuple[NDArray[np.int_], NDArray[np.int_], float]] = []
    for down in (-1, 0, 1):
        for across in (-1, 0, 1):
            if down == across == 0:
                continue
            weight = _ACROSS if down and across else _BESIDE
            row, column = at_row + down, at_column + across
            # Past the border there is no neighbour; the others count the more.
            there = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
            total[there] += weight
            row, column, mine = row[there], column[there], own[there]
            other = number[row, column]
            entries.append((mine[other >= 0], other[other >= 0], -weight))
            known = other < 0
            right[mine[known]] += weight * values[:, row[known], column[known]].T
    matrix = sparse.coo_matrix(
        (
            np.concatenate([total, *(np.full(len(a), weight) for a, _, weight in entries)]),
            (
                np.concatenate([own, *(a for a, _, _ in entries)]),
                np.concatenate([own, *(b for _, b, _ in entries)]),
            ),
        )
    ).tocsc()
    found = values.copy()
    found[:, hidden] = spsolve(matrix, right).reshape(len(own), len(values)).T
    return found
