"""Integrated gradients (Sundararajan et al., ICML 2017, eq. 1): what each input adds on the way from a baseline.

The integral over the way is taken at the points of Gauss and Legendre. The values sum to the score of the input less
the score of the baseline, up to a residual that is kept: `residual` = difference - sum of the values, in the details.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from core.attribution import pixels
from core.attribution.contract import Measured, Work
from core.methods.pixel_gradient import IntegratedGradientsOptions
from core.models.coalitions import removed

# States of a text on the way that are run together.
AT_ONCE = 8


def attribute_image(work: Work, options: IntegratedGradientsOptions) -> Measured:
    """Signed maps `(images, texts, rows, columns)`: summed over colours and over the pixels of a cell.

    The details hold, `(images, texts)`, the `difference` of the cosine from the baseline's and the `residual`.
    """
    grid = pixels.map_grid(work, options.cells)
    points, weights = path(options.steps)
    start = removed(work.model, work.images.pixels, options.baseline).to(work.images.pixels)
    found = []
    for index in range(len(work.images)):
        way = work.images.pixels[index] - start[index]

        def along(part: slice, index: int = index, way: Tensor = way) -> Tensor:
            return start[index] + points[part].to(way)[:, None, None, None] * way

        gradient = pixels.mean_pixel_gradients(work, along, weights)
        found.append(pixels.cell_sums((gradient * way).sum(dim=1), grid))
    maps = torch.stack(found)
    difference = work.scores - work.model.embed_images(start).detach() @ work.texts.embeddings.T
    return Measured(maps, details=_sums(maps.sum(dim=(-2, -1)), difference))


def attribute_text(work: Work, options: IntegratedGradientsOptions) -> Measured:
    """Signed values `(images, texts, tokens)`, from the text of the same length whose words are padding.

    Start and end stay as they are on the whole way and get nothing. The details are those of the image side.
    """
    tower = work.model.text
    points, weights = path(options.steps)
    # An untrimmed row of the empty text ends with padding.
    padding = int(tower.full([""])[0, -1])
    moved = []

    def values(text: int, state: Tensor, mask: Tensor | None) -> Tensor:
        ids = work.texts.own_ids(text).clone()
        ids[:, work.texts.content[text][0]] = padding
        with torch.no_grad():
            way = state - tower.enter(ids)[0]
        total = state.new_zeros(len(work.images), *state.shape[1:])
        for some, shares in zip(points.to(state).split(AT_ONCE), weights.to(state).split(AT_ONCE), strict=True):
            states = state - way + some[:, None, None] * way
            total += torch.einsum("s,istw->itw", shares, pixels.token_gradients(work, text, states, mask))
        with torch.no_grad():
            ids = work.texts.own_ids(text).expand(2, -1)
            ends = F.normalize(tower.leave(tower.run(torch.cat([state, state - way]), mask, 0), ids), dim=-1)
        work.model.meter.text += 2
        moved.append(ends[0] - ends[1])
        return (total * way).sum(dim=-1)

    found = pixels.each_text(work, values)
    return Measured(found, details=_sums(found.sum(dim=-1), work.images.embeddings @ torch.stack(moved).T))


def path(steps: int) -> tuple[Tensor, Tensor]:
    """The points in [0, 1] and weights (which sum to 1) of Gauss and Legendre, float64."""
    points, weights = np.polynomial.legendre.leggauss(steps)
    return torch.from_numpy((points + 1) / 2), torch.from_numpy(weights / 2)


def _sums(total: Tensor, difference: Tensor) -> dict[str, Tensor]:
    return {"difference": difference, "residual": difference - total}
