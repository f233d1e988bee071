"""ROAD's imputation against its equations, and the curves on it with a scorer whose answer is known."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from core.evaluation.curves import SIDE, curves
from core.evaluation.imputation import BLOCKS, ImputedPool, filled_in, solve
from core.models.model import Meter

NEIGHBOURS = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)]


def test_each_hidden_block_is_the_weighted_mean_of_its_neighbours() -> None:
    random = np.random.default_rng(0)
    values, hidden = random.normal(size=(3, 9, 8)), random.random((9, 8)) < 0.6
    hidden[0, 0] = hidden[8, 7] = True
    found = solve(values, hidden)
    assert np.array_equal(found[:, ~hidden], values[:, ~hidden])
    for row, column in zip(*np.nonzero(hidden), strict=True):
        total, weights = np.zeros(3), 0.0
        for i, j in NEIGHBOURS:
            if 0 <= row + i < 9 and 0 <= column + j < 8:
                weight = 1 / 12 if i and j else 1 / 6
                total, weights = total + weight * found[:, row + i, column + j], weights + weight
        assert found[:, row, column] == pytest.approx(total / weights)
        # Weighing all eight alike is another mean.
    even = np.mean([found[:, 4 + i, 4 + j] for i, j in NEIGHBOURS], axis=0)
    assert not hidden[4, 4] or found[:, 4, 4] != pytest.approx(even)


def test_a_slope_is_restored_and_what_nothing_around_tells_is_not() -> None:
    slope = np.add.outer(np.arange(12.0), 2 * np.arange(10.0))[None]
    hidden = np.zeros((12, 10), dtype=bool)
    hidden[3:7, 2:8] = True
    assert solve(slope, hidden) == pytest.approx(slope)
    bump = slope.copy()
    bump[0, 5, 5] += 100
    assert solve(bump, hidden) == pytest.approx(slope)
    assert np.array_equal(solve(slope, np.ones_like(hidden)), np.zeros_like(slope))
    assert solve(slope, np.zeros_like(hidden)) is slope


def test_pixels_in_view_stay_and_noise_falls_on_hidden_ones_alone() -> None:
    pixels, kept = torch.rand(3, 56, 56, generator=torch.Generator().manual_seed(0)), torch.ones(14, 14).bool()
    kept[3:5, 6:9] = False
    plain, noisy = filled_in(pixels, kept), filled_in(pixels, kept, torch.full((3, 56, 56), 0.5))
    hidden = torch.zeros(56, 56).bool()
    hidden[12:20, 24:36] = True
    assert torch.equal(plain[:, ~hidden], pixels[:, ~hidden]) and torch.equal(noisy[:, ~hidden], pixels[:, ~hidden])
    assert torch.allclose(noisy[:, hidden], plain[:, hidden] + 0.5)
    assert float(plain[:, hidden].std()) < 0.5 * float(pixels[:, hidden].std())
    assert torch.equal(filled_in(pixels, torch.ones(14, 14)), pixels)


class Scorer:
    """The cosine is a weighted sum of how much the pixels of a cell differ from each other: texture counts."""

    preprocessing = SimpleNamespace(std=(0.5, 0.5, 0.5))

    def __init__(self, weights: np.ndarray) -> None:
        self.weights, self.meter = torch.tensor(weights, dtype=torch.float32), Meter()

    def image_batch(self, size: Any) -> int:
        return 7

    def bulk(self, pixels: Tensor) -> Tensor:
        cells = pixels.mean(dim=1).unflatten(1, (SIDE, 4)).unflatten(3, (SIDE, 4))
        cosine = (cells.std(dim=(2, 4)) * self.weights).sum(dim=(1, 2)).clamp(0, 1)
        return torch.stack([cosine, (1 - cosine**2).sqrt()], dim=1)


def test_the_perfect_map_wins_and_what_knows_nothing_gains_nothing() -> None:
    random = np.random.default_rng(0)
    weights = random.uniform(0, 0.05, (SIDE, SIDE))
    weights[2:6, 7:12] += random.uniform(1, 2, (4, 5))
    weights *= 2.0 / weights.sum()
    model: Any = Scorer(weights)
    pixels = torch.rand(3, 4 * SIDE, 4 * SIDE, generator=torch.Generator().manual_seed(1))
    maps = {
        ("perfect", 0): weights, ("wrong sign", 0): -weights, ("turned", 0): weights.T,
        ("random", 0): random.uniform(size=weights.shape),
    }  # fmt: skip
    pool = ImputedPool(model, pixels, torch.Generator().manual_seed(2))
    found = {
        name: curve.faithfulness or 0.0
        for (name, _), curve in curves(pool, maps, torch.tensor([[1.0, 0.0]]), steps=4).items()
    }
    assert found["perfect"] == max(found.values()) > 0.5
    assert found["wrong sign"] < -0.5
    assert abs(found["random"]) < 0.4 and found["turned"] < 0.4
    # Whole and hidden image once; two curves of three steps in between for each order, of which a sign shares six.
    assert model.meter.image == 2 + 6 * 3
    again = ImputedPool(model, pixels, torch.Generator().manual_seed(2))
    kept = torch.rand(3, SIDE, SIDE) < 0.5
    assert torch.equal(pool.embeddings(kept), again.embeddings(kept))
    assert pool.token_grid == (BLOCKS, BLOCKS)
