"""The half-way point of deletion curves against closed forms and a literal walk along the curve."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from core.evaluation.half_loss import half_loss


def of(*curves: np.ndarray | None) -> np.ndarray:
    frame = pd.DataFrame({"deletion_curve": pd.Series(list(curves), dtype=object)})
    return half_loss(frame)


def walked(curve: np.ndarray) -> float:
    """One step after another, then back along the line that crosses the middle."""
    middle = (curve[0] + curve[-1]) / 2
    for step in range(1, len(curve)):
        if curve[step] <= middle:
            back = (middle - curve[step]) / (curve[step - 1] - curve[step])
            return float((step - back) / (len(curve) - 1))
    raise AssertionError("a curve that never falls to its middle")


def test_curves_of_a_known_half() -> None:
    line = np.linspace(0.3, 0.1, 17)
    at_once = np.r_[0.3, np.full(16, 0.1)]
    at_last = np.r_[np.full(16, 0.3), 0.1]
    assert of(line, at_once, at_last) == pytest.approx([0.5, 0.5 / 16, 15.5 / 16])
    # A power: left(x) = 1 - sqrt(x) is a half at x = 1/4, on a fine grid.
    assert of(1 - np.sqrt(np.linspace(0, 1, 4001)))[0] == pytest.approx(0.25, abs=1e-4)
    assert of(3 * line + 7) == pytest.approx(of(line)), "neither scale nor offset matters"


@pytest.mark.parametrize("seed", range(5))
def test_it_is_the_first_crossing_of_the_middle(seed: int) -> None:
    random = np.random.default_rng(seed)
    curves = [0.3 - 0.2 * np.linspace(0, 1, steps) + 0.08 * random.normal(size=steps) for steps in (9, 17, 17, 33)]
    for curve in curves:
        curve[0], curve[-1] = 0.3, 0.1
    curves = [curve.astype(np.float32) for curve in curves]
    got = of(*curves)
    assert got == pytest.approx([walked(curve.astype(float)) for curve in curves], abs=1e-6)
    backwards = [walked((0.4 - curve[::-1]).astype(float)) for curve in curves]
    assert not np.allclose(got, backwards, atol=1e-3), "the insertion curve of the same values"


def test_a_curve_without_a_gain_has_no_half() -> None:
    rising, level, small = np.linspace(0.1, 0.3, 17), np.full(17, 0.2), np.linspace(0.205, 0.2, 17)
    assert np.isnan(of(rising, level, small, None)).all()
    assert np.isfinite(of(np.linspace(0.22, 0.2, 17), None)).tolist() == [True, False]


def test_the_share_is_read_at_the_stored_steps() -> None:
    curve, shares = np.array([1.0, 0.6, 0.2, 0.0]), [0.0, 0.1, 0.3, 1.0]
    frame = pd.DataFrame({"deletion_curve": [curve, curve], "curve_shares": [shares, None]}, dtype=object)
    # Half is lost a quarter of the way from 0.6 to 0.2: between 0.1 and 0.3, or between 1/3 and 2/3.
    assert half_loss(frame) == pytest.approx([0.15, (1 + 0.25) / 3])
