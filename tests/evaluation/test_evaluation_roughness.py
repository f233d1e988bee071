"""The roughness of maps against closed forms, every order of a small map, and a walk over all pairs."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
import pandas as pd
import pytest

from core.evaluation.roughness import roughness, roughness_of


def of(*maps: np.ndarray | None) -> np.ndarray:
    shapes = [(None, None) if one is None else one.shape for one in maps]
    frame = pd.DataFrame(
        {
            "map": pd.Series([None if one is None else one.ravel() for one in maps], dtype=object),
            "rows": [rows for rows, _ in shapes],
            "columns": [columns for _, columns in shapes],
        }
    )
    frame.index += 7
    return roughness(frame)


def walked(grid: np.ndarray) -> float:
    """One pair after another."""
    cells = list(np.ndindex(*grid.shape))
    near, every = [], []
    for (a, b), (c, d) in combinations(cells, 2):
        difference = abs(float(grid[a, b]) - float(grid[c, d]))
        every.append(difference)
        if abs(a - c) + abs(b - d) == 1:
            near.append(difference)
    return float(np.mean(near) / np.mean(every))


def test_maps_of_a_known_roughness() -> None:
    checkers = np.indices((4, 6)).sum(axis=0) % 2
    ramp = np.arange(9.0)[None]
    # Checkers: neighbours always differ, other pairs n / 2(n - 1) of the time. A ramp of n: two cells lie (n + 1) / 3
    # steps apart on average.
    assert of(checkers, ramp) == pytest.approx([2 * 23 / 24, 3 / 10])
    assert of(5 - 3 * ramp) == pytest.approx(of(ramp)), "neither sign, scale nor offset matters"


def test_one_is_expected_of_values_in_random_positions() -> None:
    orders = np.array(list(permutations([0.0, 1.0, 1.5, 7.0, -2.0, 0.25]))).reshape(-1, 2, 3)
    # The denominator is that of the values, whatever their order.
    assert roughness_of(orders).mean() == pytest.approx(1.0, abs=1e-12)
    assert roughness_of(np.sort(orders.reshape(-1, 6)).reshape(-1, 2, 3)).mean() < 0.9


@pytest.mark.parametrize("shape", [(1, 2), (7, 7), (3, 5)])
def test_it_is_the_walk_over_all_pairs(shape: tuple[int, int]) -> None:
    maps = np.random.default_rng(3).standard_t(2, size=(4, *shape))
    assert of(*maps) == pytest.approx([walked(one) for one in maps], rel=1e-12)


def test_a_transposed_reading_is_seen() -> None:
    grid = np.arange(12.0).reshape(3, 4)
    assert of(grid)[0] != pytest.approx(walked(grid.reshape(4, 3)))
    assert of(grid)[0] == pytest.approx(walked(grid))


def test_what_has_no_roughness() -> None:
    assert np.isnan(of(np.full((3, 3), 0.2), None, np.ones((1, 1)))).all()
    assert np.isfinite(of(None, np.eye(3), None)).tolist() == [False, True, False]
