"""Which coalitions of cells are asked of an image's pool: nested draws, so that methods and metrics share them.

The first n rows of a draw do not depend on how many rows are drawn: whoever asks for fewer pays nothing for them.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from core.attribution.contract import Work
from core.models.coalitions import Removal
from core.models.pool import CoalitionPool, removal_of

CHUNK = 64


def pool_of(work: Work, image: int, removal: Removal) -> CoalitionPool:
    """The pool of one image of `work`, shared by everything that works on the same images."""
    key = ("coalitions", work.image_keys[image], removal_of(work.model, removal))
    if key not in work.pools:
        work.pools[key] = CoalitionPool(work.model, work.images.pixels[image], removal)
    return work.pools[key]


def cell_grid(work: Work, cells: int) -> tuple[int, int]:
    """Rows and columns of players: the model's own grid, or at most `cells` a side where that is finer (0: never)."""
    if "image_layers" not in work.model.capabilities:
        return (cells or 7, cells or 7)
    rows, columns = work.images.grid()
    return (min(rows, cells), min(columns, cells)) if cells else (rows, columns)


def kept_cells(work: Work, image: int, grid: tuple[int, int], count: int, keep: float = 0.5) -> Tensor:
    """Coalitions `(count, rows, columns)` in which each cell is kept by itself with chance `keep`.

    At a chance of 1/2, blocks of at least two rows a cell are followed by their complements, so that whatever a score
    owes to pairs of cells cancels out of the fit of single cells; a shorter draw has more use for other rows.
    """
    generator = work.generator("coalitions", work.image_keys[image], grid, keep)
    chunks = -(-2 * grid[0] * grid[1] // CHUNK)
    rows: list[Tensor] = []
    while CHUNK * len(rows) < count:
        block = [torch.rand(CHUNK, *grid, generator=generator) < keep for _ in range(chunks)]
        rows += block if keep != 0.5 else block + [~free for free in block]
    return torch.cat(rows)[:count]


def shapley_cells(work: Work, image: int, grid: tuple[int, int], count: int) -> Tensor:
    """Coalitions `(count, rows, columns)` in pairs of complements, sizes drawn as the Shapley kernel weighs them."""
    players = grid[0] * grid[1]
    generator = work.generator("Shapley coalitions", work.image_keys[image], grid)
    weights = size_chances(players)
    rows = torch.zeros(count + count % 2, players, dtype=torch.bool)
    for first in range(0, len(rows), 2):
        size = 1 + int(torch.multinomial(weights, 1, generator=generator))
        rows[first, torch.randperm(players, generator=generator)[:size]] = True
        rows[first + 1] = ~rows[first]
    return rows[:count].unflatten(1, grid)


def size_chances(players: int) -> Tensor:
    """The chance of each size 1 to players - 1 under the Shapley kernel, `(players - 1,)`, float64."""
    sizes = torch.arange(1, players, dtype=torch.float64)
    weight = 1 / (sizes * (players - sizes))
    return weight / weight.sum()


def kernel_weights(rows: Tensor, drawn_freely: int, drawn_by_size: int) -> Tensor:
    """What makes a mixed draw stand for the Shapley kernel: its chance over the chance of the mixture, float64.

    `rows` `(coalitions, players)` came from `kept_cells` at keep rate 1/2 (`drawn_freely` of them) and from
    `shapley_cells` (`drawn_by_size`); which came from where does not matter (balance heuristic). No weight is larger
    than all rows over those drawn by size. Empty and full coalitions weigh 0.
    """
    players = rows.shape[1]
    size = rows.sum(dim=1)
    choices = torch.tensor(
        [math.lgamma(players + 1) - math.lgamma(k + 1) - math.lgamma(players - k + 1) for k in range(players + 1)],
        dtype=torch.float64,
    )
    chance = torch.zeros(players + 1, dtype=torch.float64)
    chance[1:-1] = torch.exp(size_chances(players).log() - choices[1:-1])
    free = math.exp(-players * math.log(2))
    share = drawn_by_size / (drawn_freely + drawn_by_size)
    mixture = share * chance + (1 - share) * free
    return (chance / mixture)[size]
