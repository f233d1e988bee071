"""Where curves are measured: the closed form, both ends alike, and areas closer than those of even steps."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.evaluation.curve_shares import cell_counts, shares_of
from core.evaluation.curves import area


def test_half_of_the_steps_are_even_and_half_follow_the_cosine() -> None:
    counts = cell_counts(10**9, 8)
    for step, count in enumerate(counts):
        share = (step / 8 + (1 - math.cos(math.pi * step / 8)) / 2) / 2
        assert count / 1e9 == pytest.approx(share, abs=1e-8)
    # The companion: neither half alone.
    assert counts[1] / 1e9 != pytest.approx(1 / 8, abs=0.01)
    assert counts[1] / 1e9 != pytest.approx((1 - math.cos(math.pi / 8)) / 2, abs=0.01)
    assert cell_counts(196, 10) == [0, 12, 29, 50, 73, 98, 123, 146, 167, 184, 196]


@given(st.integers(1, 1000), st.integers(1, 60))
def test_they_rise_from_none_to_all_and_are_the_same_from_either_end(cells: int, steps: int) -> None:
    counts = cell_counts(cells, steps)
    assert len(counts) == steps + 1 and counts[0] == 0 and counts[-1] == cells
    assert counts == sorted(counts)
    for low, high in zip(counts, reversed(counts), strict=True):
        # A middle that falls between two cells is rounded to one of them.
        assert low + high == cells or (steps % 2 == 0 and low == high and abs(2 * low - cells) <= 1)


def test_curves_that_bend_at_their_ends_have_smaller_errors_than_with_even_steps() -> None:
    cells = np.arange(197) / 196
    errors: dict[str, list[float]] = {"ends": [], "even": []}
    for power in (0.1, 0.2, 0.3, 3.0, 5.0, 10.0):
        curve = cells**power
        whole = area(curve, cells, 0.0, 1.0)
        assert whole is not None
        for name, counts in (("ends", cell_counts(196, 10)), ("even", [round(19.6 * step) for step in range(11)])):
            found = area(curve[counts], cells[counts], 0.0, 1.0)
            assert found is not None
            errors[name].append(abs(found - whole))
    assert max(errors["ends"]) < 0.6 * max(errors["even"])
    assert np.mean(errors["ends"]) < 0.7 * np.mean(errors["even"])


def test_stored_shares_and_even_ones_where_none_are_stored() -> None:
    found = shares_of([[0.0, 0.2, 1.0], None, float("nan")], 3)
    assert found == pytest.approx(np.array([[0.0, 0.2, 1.0], [0.0, 0.5, 1.0], [0.0, 0.5, 1.0]]))
