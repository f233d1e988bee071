"""The detectable effect against a simulation of the test that it belongs to."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t as student

from core.statistics.power import detectable_mean


@pytest.mark.parametrize(("n", "significance"), [(8, 0.025), (16, 0.005), (40, 0.025)])
def test_the_detectable_mean_is_detected_nine_times_in_ten(n: int, significance: float) -> None:
    shift = detectable_mean(2.0, n, significance)
    assert shift is not None
    random = np.random.default_rng(0)

    def power(mean: float) -> float:
        x = random.normal(mean, 2.0, size=(20_000, n))
        t = x.mean(axis=1) / (x.std(axis=1, ddof=1) / np.sqrt(n))
        return float((student.sf(t, n - 1) < significance).mean())

    assert power(shift) == pytest.approx(0.9, abs=0.01)
    # The companion that must fail: four fifths of the effect are not enough.
    assert power(0.8 * shift) < 0.85


def test_without_spread_everything_is_detected_and_of_one_value_nothing_is_known() -> None:
    assert detectable_mean(0.0, 8, 0.025) == 0.0
    assert detectable_mean(1.0, 1, 0.025) is None and detectable_mean(float("nan"), 8, 0.025) is None
