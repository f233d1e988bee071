"""Sparseness, entropy and effective area against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from core.evaluation.agreement import COMMON_SIDE
from core.evaluation.compactness import compactness, effective_area, entropy, gini

CELLS = COMMON_SIDE**2


def test_a_level_map_and_a_single_cell_are_the_two_ends() -> None:
    level, one = np.ones((7, 7)), np.zeros((COMMON_SIDE, COMMON_SIDE))
    one[3, 8] = 2.0
    assert compactness(level) == pytest.approx({"sparseness": 0.0, "entropy": 1.0, "effective_area": 0.5})
    assert compactness(one) == pytest.approx(
        {"sparseness": 1 - 1 / CELLS, "entropy": 0.0, "effective_area": 0.5 / CELLS}
    )


@pytest.mark.parametrize("part", [1, 12, 50])
def test_a_region_of_equal_cells_has_the_values_that_arithmetic_gives(part: int) -> None:
    region = np.zeros(CELLS)
    region[np.random.default_rng(part).permutation(CELLS)[:part]] = 0.3
    assert gini(region) == pytest.approx(1 - part / CELLS)
    assert entropy(region) == pytest.approx(np.log(part) / np.log(CELLS))
    assert effective_area(region) == pytest.approx(part / CELLS / 2)
    # The companion: the values of another region are told apart.
    assert gini(region) != pytest.approx(1 - (part + 2) / CELLS)


def test_the_gini_index_is_half_the_mean_difference_over_the_mean() -> None:
    sizes = np.random.default_rng(0).exponential(size=40)
    literal = np.abs(sizes[:, None] - sizes).mean() / (2 * sizes.mean())
    assert gini(sizes) == pytest.approx(literal)
    assert gini(sizes) != pytest.approx(np.abs(sizes[:, None] - sizes).mean() / sizes.mean())


def test_scale_sign_and_places_do_not_matter_but_an_offset_does() -> None:
    values = np.random.default_rng(1).normal(size=(COMMON_SIDE, COMMON_SIDE))
    found = compactness(values)
    for same in (-values, 7 * values, values.T, values[::-1]):
        assert compactness(same) == pytest.approx(found)
    raised = compactness(values + 10)
    assert (raised["sparseness"] or 0.0) < (found["sparseness"] or 0.0) / 2
    assert (raised["effective_area"] or 0.0) > (found["effective_area"] or 0.0)


def test_a_finer_grid_alone_changes_nothing_and_zeros_are_undefined() -> None:
    values = np.random.default_rng(2).uniform(size=(7, 7))
    assert compactness(np.kron(values, np.ones((4, 4)))) == pytest.approx(compactness(values))
    assert entropy(values.ravel()) != pytest.approx(compactness(values)["entropy"])
    assert set(compactness(np.zeros((7, 7))).values()) == {None}
