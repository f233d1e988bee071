"""Shapley values of a game over regions, exactly or from a sample of coalitions. Nothing here knows a model.

A game gives every coalition of regions a value. Many games (one a text) over the same coalitions are solved together:
values are `(coalitions, games)` and Shapley values `(regions, games)`, both float64.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from itertools import combinations

import torch
from torch import Tensor

from core.errors import InputError

END_WEIGHT = 10_000.0
# Sampling stops after this many draws for each coalition that was asked for: what is left is very rarely drawn.
PATIENCE = 40


@dataclass(frozen=True)
class Coalitions:
    """Which regions each coalition shows.

    rows: bool `(coalitions, regions)`; the first is empty and the last full.
    weights: float64 `(coalitions,)`, how much each counts in a least-squares fit; 0 for the empty and the full one,
        which are constraints there.
    complete: whether every subset is there, ordered by its bits (region i is bit i).
    """

    rows: Tensor
    weights: Tensor
    complete: bool

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def regions(self) -> int:
        """How many regions there are."""
        return int(self.rows.shape[1])


def kernel_weight(regions: int, size: int) -> float:
    """The Shapley kernel's weight of one coalition of `size` regions, neither empty nor full."""
    return (regions - 1) / (math.comb(regions, size) * size * (regions - size))


def all_coalitions(regions: int) -> Coalitions:
    """Every subset of the regions. Raises `InputError` beyond 20 regions."""
    if not 1 <= regions <= 20:
        raise InputError(f"the coalitions of {regions} regions cannot all be listed; from 1 to 20 regions are possible")
    bits = torch.arange(2**regions)
    rows = (bits[:, None] >> torch.arange(regions)) % 2 == 1
    sizes = rows.sum(dim=1).tolist()
    weights = [kernel_weight(regions, size) if 0 < size < regions else 0.0 for size in sizes]
    return Coalitions(rows, torch.tensor(weights, dtype=torch.float64), True)


def sampled_coalitions(regions: int, budget: int, generator: torch.Generator) -> Coalitions:
    """At most `budget` distinct coalitions, drawn in pairs with their complements by the Shapley kernel.

    A coalition's weight is how often it was drawn. Raises `InputError` for a budget below regions + 2, which cannot
    tell the regions apart.
    """
    if budget < regions + 2:
        raise InputError(f"{budget} coalitions are too few for {regions} regions; give at least {regions + 2}")
    sizes = torch.arange(1, regions, dtype=torch.float64)
    chances = 1 / (sizes * (regions - sizes))
    drawn: Counter[tuple[bool, ...]] = Counter()
    for _ in range(PATIENCE * budget):
        if len(drawn) + 2 > budget - 2:
            break
        size = 1 + int(torch.multinomial(chances, 1, generator=generator))
        row = torch.zeros(regions, dtype=torch.bool)
        row[torch.randperm(regions, generator=generator)[:size]] = True
        drawn[tuple(row.tolist())] += 1
        drawn[tuple((~row).tolist())] += 1
    ends = [(False,) * regions], [(True,) * regions]
    rows = torch.tensor([*ends[0], *drawn, *ends[1]])
    return Coalitions(rows, torch.tensor([0.0, *drawn.values(), 0.0], dtype=torch.float64), False)


def ordered_coalitions(regions: int, budget: int) -> Coalitions:
    """Coalitions in the released order: sizes 1, M-1, 2, M-2, ... and lexicographic within a size, cut at `budget`.

    The cut keeps only the first coalitions of its last size, so regions of a low index are seen more often.
    """
    sizes = [size for low in range(1, regions // 2 + 1) for size in dict.fromkeys((low, regions - low))]
    rows: list[list[bool]] = []
    for size in sizes:
        for chosen in combinations(range(regions), size):
            if len(rows) + 2 < budget:
                rows.append([region in chosen for region in range(regions)])
    inner = [kernel_weight(regions, sum(row)) for row in rows]
    every = [[False] * regions, *rows, [True] * regions]
    return Coalitions(torch.tensor(every), torch.tensor([0.0, *inner, 0.0], dtype=torch.float64), False)


def coalitions_for(regions: int, budget: int, generator: torch.Generator) -> Coalitions:
    """All coalitions where they fit into `budget`, otherwise a sample of them."""
    if 2**regions <= budget:
        return all_coalitions(regions)
    return sampled_coalitions(regions, budget, generator)


def shapley_values(coalitions: Coalitions, values: Tensor) -> Tensor:
    """Shapley values `(regions, games)` that sum to the value of the full coalition minus that of the empty one.

    Exact if the coalitions are complete; otherwise the constrained least-squares estimate.
    """
    return exact_values(values) if coalitions.complete else constrained_values(coalitions, values)


def exact_values(values: Tensor) -> Tensor:
    """Exact Shapley values `(regions, games)` of the values `(2^regions, games)` of all subsets, ordered by bits."""
    regions = (len(values) - 1).bit_length()
    rows = all_coalitions(regions).rows
    size = rows.sum(dim=1)
    # For a member a value is a gain, weighted by (s-1)!(M-s)!/M!; for those outside a loss, by s!(M-s-1)!/M!.
    factorial = torch.tensor([math.factorial(k) for k in range(regions + 1)], dtype=torch.float64)
    inside = factorial[(size - 1).clamp(min=0)] * factorial[regions - size] / factorial[regions]
    outside = factorial[size] * factorial[(regions - size - 1).clamp(min=0)] / factorial[regions]
    weight = torch.where(rows, inside[:, None], -outside[:, None])
    return weight.T @ values.double()


def constrained_values(coalitions: Coalitions, values: Tensor) -> Tensor:
    """KernelSHAP with the efficiency constraint: weighted least squares over values that sum to v(full) - v(empty).

    Values are written as an equal share plus a part that sums to 0, and only that part is fitted, so the constraint
    holds to rounding; where the sample cannot tell regions apart, the part of least norm is taken.
    """
    values = values.double()
    total = values[-1] - values[0]
    regions = coalitions.regions
    share = total / regions
    if regions == 1:
        return share[None]
    inner = coalitions.weights > 0
    rows = coalitions.rows[inner].double()
    root = coalitions.weights[inner].sqrt()[:, None]
    basis = _without_mean(regions)
    target = values[inner] - values[0] - rows.sum(dim=1, keepdim=True) * share
    fitted = torch.linalg.lstsq(root * (rows @ basis), root * target, driver="gelsd").solution
    return share + basis @ fitted


def intercept_values(coalitions: Coalitions, values: Tensor) -> Tensor:
    """The released fit: least squares with an intercept, and weight 10,000 at both ends instead of constraints."""
    weights = coalitions.weights.clone()
    weights[0] = weights[-1] = END_WEIGHT
    root = weights.sqrt()[:, None]
    rows = torch.cat([torch.ones(len(coalitions), 1, dtype=torch.float64), coalitions.rows.double()], dim=1)
    return torch.linalg.lstsq(root * rows, root * values.double(), driver="gelsd").solution[1:]


def region_curve(coalitions: Coalitions, values: Tensor, areas: Tensor, order: Tensor) -> tuple[float, float]:
    """Areas under the insertion and the deletion curve of one game `(2^regions,)` in a given order of the regions.

    The value is read at each share of the image's area that is shown (or hidden), with straight lines between; the
    coalitions must be complete, and then no further forward is needed.
    """
    bits = torch.cumsum(2**order, dim=0)
    shown = torch.cat([torch.zeros(1, dtype=bits.dtype), bits])
    share = torch.cat([torch.zeros(1, dtype=torch.float64), torch.cumsum(areas.double()[order], dim=0)])
    values = values.double()
    insertion = torch.trapezoid(values[shown], share)
    deletion = torch.trapezoid(values[len(coalitions) - 1 - shown], share)
    return float(insertion), float(deletion)


def _without_mean(regions: int) -> Tensor:
    """An orthonormal basis `(regions, regions - 1)` of the vectors that sum to 0."""
    ones = torch.full((regions, 1), 1.0, dtype=torch.float64)
    whole, _ = torch.linalg.qr(torch.cat([ones, torch.eye(regions, dtype=torch.float64)[:, : regions - 1]], dim=1))
    return whole[:, 1:]
