"""LIME over cells (Ribeiro, Singh, Guestrin, KDD 2016): a linear model of the score near the whole image."""

from __future__ import annotations

import torch

from core.attribution.contract import Measured, Work
from core.attribution.draws import cell_grid, kept_cells, pool_of
from core.attribution.surrogate import fit
from core.methods.perturbation import LimeOptions


def attribute_image(work: Work, options: LimeOptions) -> Measured:
    """Coefficients `(images, texts, rows, columns)` of a ridge regression weighted towards coalitions near the whole.

    The weight is exp(-d^2 / width^2), d one minus the cosine of the coalition with the full one.
    """
    grid = cell_grid(work, options.cells)
    found = []
    for index in range(len(work.images)):
        rows = kept_cells(work, index, grid, options.masks).flatten(1)
        scores = (
            pool_of(work, index, options.removal).embeddings(rows.unflatten(1, grid)) @ work.texts.embeddings.T
        ).cpu()
        distance = 1 - (rows.double().mean(dim=1)).sqrt()
        found.append(fit(rows, scores, torch.exp(-((distance / options.width) ** 2)), options.penalty))
    return Measured(
        torch.stack([one.coefficients.T for one in found]).unflatten(-1, grid),
        torch.stack([one.half_width.T for one in found]).unflatten(-1, grid),
        {"r2": torch.stack([one.r2 for one in found])},
    )
