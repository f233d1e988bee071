"""MaskInversion (Bousselham et al., ICLR 2026): what a model calls a region that a person has drawn.

An embedding is learned whose LeGrad map matches the region (section 3): it starts at the image's own embedding, and
Adam lowers one minus the soft Dice overlap of the map, rescaled to 0..1, and the region, plus `alpha` times one minus
the cosine with the image's embedding. The map's gradient is linear in the embedding, so that each step is one backward
pass through the blocks and one transposed walk through the same graph; nothing else of the model is run again. What is
learned is then compared with texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from core.attribution.contract import Work
from core.attribution.self_attention import blocks_of
from core.errors import CapabilityError, InputError
from core.methods.capability import reason_missing
from core.methods.gradient import LEGRAD
from core.models.geometry import Geometry

# A backward pass through a block, and the walk back through it, in forwards of that block.
BACKWARD = 2
BETAS, EPSILON = (0.9, 0.999), 1e-8


@dataclass(frozen=True)
class Inversion:
    """What was learned for one region of one image.

    embedding: `(embedding,)`, of unit length. map: `(rows, columns)`, its LeGrad map from 0 to 1. fit and fit_before:
    the soft Dice overlap of region and map, 0 to 1, of this embedding and of the image's own. scores and scores_before:
    cosines `(texts,)` of the two with each text.
    """

    embedding: Tensor
    map: Tensor
    fit: float
    fit_before: float
    scores: Tensor
    scores_before: Tensor


def invert(
    work: Work,
    regions: Tensor | NDArray[Any],
    *,
    image: int = 0,
    layers: int = 1,
    steps: int = 10,
    rate: float = 0.2,
    alpha: float = 0.0,
) -> list[Inversion]:
    """An embedding for each region `(regions, rows, columns)` of one image of `work`, which holds shares from 0 to 1.

    `layers` is the number of last blocks whose maps are averaged, `rate` the length of a step relative to the
    embedding. Of all steps the one with the smallest loss is kept; without `alpha` the fit is then never below that of
    the image's embedding. Raises `InputError` for regions of another grid, empty ones and options out of range, and
    `CapabilityError` if the model has no attention to differentiate.

    Differences to the release: the best step and not the last one is kept; regions are compared on the map's own grid,
    without a constant added to the overlap; the embedding has unit length from the start, and `rate` stands for its
    learning rate, so that models with longer embeddings take steps of the same angle.
    """
    tower = work.model.image
    reason = reason_missing(LEGRAD.sides["image"], work.model.capabilities)
    if reason is not None:
        raise CapabilityError(f"regions of {work.model.title} cannot be named: this {reason}")
    wanted = torch.as_tensor(regions).to(work.images.final)
    _check(wanted, work.images.grid(), layers, steps, rate, alpha)
    with torch.inference_mode(False), torch.enable_grad():
        graphs = [_block(work, image, index) for index in range(max(tower.depth - layers, 0), tower.depth)]
        work.model.meter.image += len(graphs) / tower.depth
        return [_learned(work, image, region, graphs, steps, rate, alpha) for region in wanted]


def region_shares(mask: NDArray[np.bool_], geometry: Geometry, grid: tuple[int, int]) -> NDArray[np.float64]:
    """The share of each cell `(rows, columns)` that a mask over the original image covers, of what the image shows.

    Raises `InputError` for a mask of another size, and where the model sees nothing of it.
    """
    if mask.shape != (geometry.height, geometry.width):
        raise InputError(
            f"the region is drawn on {mask.shape[1]} x {mask.shape[0]} pixels, but the image has {geometry.width} x "
            f"{geometry.height}; draw it on the image itself"
        )
    shares = np.zeros(grid)
    for row, column in np.ndindex(*grid):
        left, top, right, bottom = (round(edge) for edge in geometry.cell_box(row, column, *grid))
        part = mask[max(top, 0) : max(bottom, top + 1), max(left, 0) : max(right, left + 1)]
        shares[row, column] = part.mean() if part.size else 0.0
    if not shares.any():
        raise InputError("the model sees nothing of the region: it lies outside the part of the image that is used")
    return shares


def soft_dice(values: Tensor, region: Tensor) -> Tensor:
    """Twice the overlap of a map and a region over the sum of both, 0 to 1."""
    return 2 * (values * region).sum() / (values.sum() + region.sum())


# One block: its own embedding of the image, and the attention weights that it depends on.
Graph = tuple[Tensor, Tensor]


def _block(work: Work, image: int, index: int) -> Graph:
    tower, held = work.model.image, []

    def attend(weights: Tensor) -> Tensor:
        held.append(weights.detach().requires_grad_())
        return held[0]

    # The fused kernels of an attention pool have no second walk.
    with sdpa_kernel(SDPBackend.MATH):
        mean = blocks_of(tower)[index].mean(work.images.entering(index)[image : image + 1], attend)
        return F.normalize(tower.project(mean), dim=-1)[0], held[0]


def _map(work: Work, graphs: Sequence[Graph], embedding: Tensor) -> Tensor:
    """The LeGrad map of an embedding, from 0 to 1, as a function that can be differentiated by the embedding."""
    total = torch.zeros(())
    for unit, weights in graphs:
        (gradient,) = torch.autograd.grad(unit, weights, embedding, create_graph=True, retain_graph=True)
        total = total + gradient.relu().mean(dim=(0, 1, 2))
    found = total[work.model.image.prefix_tokens :].unflatten(0, work.images.grid())
    low, high = found.amin(), found.amax()
    return (found - low) / (high - low).clamp_min(torch.finfo(found.dtype).tiny)


def _learned(
    work: Work, image: int, region: Tensor, graphs: Sequence[Graph], steps: int, rate: float, alpha: float
) -> Inversion:
    own = work.images.embeddings[image].detach()
    learned = own.clone().requires_grad_()
    optimiser = torch.optim.Adam([learned], lr=rate / own.numel() ** 0.5, betas=BETAS, eps=EPSILON)
    best: tuple[float, Tensor, Tensor, float] | None = None
    before = 0.0
    for step in range(steps + 1):
        unit = F.normalize(learned, dim=0)
        values = _map(work, graphs, unit)
        fit = soft_dice(values, region)
        loss = 1 - fit + alpha * (1 - unit @ own)
        before = float(fit.detach()) if step == 0 else before
        if best is None or float(loss.detach()) < best[0]:
            best = (float(loss.detach()), unit.detach(), values.detach(), float(fit.detach()))
        if step < steps:
            (learned.grad,) = torch.autograd.grad(loss, [learned])
            optimiser.step()
    assert best is not None
    work.model.meter.image += BACKWARD * (2 * steps + 1) * len(graphs) / work.model.image.depth
    texts = work.texts.embeddings
    return Inversion(best[1], best[2], best[3], before, texts @ best[1], texts @ own)


def _check(regions: Tensor, grid: tuple[int, int], layers: int, steps: int, rate: float, alpha: float) -> None:
    if regions.ndim != 3 or tuple(regions.shape[1:]) != grid:
        raise InputError(f"regions must be (regions, {grid[0]}, {grid[1]}), not {tuple(regions.shape)}")
    if not bool(((regions >= 0) & (regions <= 1)).all()):
        raise InputError("regions must hold shares from 0 to 1")
    if not bool(regions.flatten(1).any(dim=1).all()):
        raise InputError("a region is empty; draw at least one patch")
    if layers < 1 or steps < 1 or not 0 < rate <= 10 or not 0 <= alpha <= 1_000:
        raise InputError("layers and steps must be at least 1, rate above 0 and at most 10, alpha from 0 to 1000")
