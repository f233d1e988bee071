"""The numbers that the rules on reliance rest on, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from core.applications.reliance.measures import share_of
from core.statistics import wilson


def test_a_share_is_a_ratio_of_means_over_images() -> None:
    amount, total = np.array([0.1, 0.3, 0.2, 9.0]), np.array([0.4, 0.4, 0.8, -1.0])
    images = np.array(["a", "a", "b", "c"])
    got = share_of(amount, total, images, 0.0)
    # Two texts of image a are averaged first; c gains nothing and is left out.
    assert got.value == pytest.approx((0.2 + 0.2) / (0.4 + 0.8)) and got.n == 2
    assert got.low is None, "two images have no interval"
    random = np.random.default_rng(0)
    some = share_of(random.normal(0.3, 0.1, 9), np.ones(9), np.arange(9), 0.0)
    assert some.low is not None and some.low <= (some.value or 0) <= (some.high or 0)
    none = share_of(amount[3:], total[3:], images[3:], 0.0)
    assert (none.value, none.n, none.p) == (None, 0, None)
    many = np.full(12, 0.3), np.ones(12), np.arange(12).astype(str)
    above = share_of(*many, 0.2).p
    below = share_of(*many, 0.4).p
    assert above is not None and below is not None and above < 0.001 and below > 0.99


def test_wilson_s_interval_holds_its_textbook_value() -> None:
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-3)
    low, high = wilson(10, 10)
    assert 0.7 < low < 0.73 and high == pytest.approx(1.0)
