"""The numbers that the rules on reliance rest on, against closed forms."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from core.applications.reliance.alikeness import alikeness
from core.applications.reliance.measures import share_of
from core.applications.reliance.record import RelianceRecord
from core.applications.reliance.shapes import corners
from core.statistics import jackknife, wilson


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


@pytest.mark.parametrize("seed", range(4))
def test_alikeness_is_the_jackknife_of_its_definition(seed: int) -> None:
    random = np.random.default_rng(seed)
    images = [f"image {at}" for at in range(14)]
    looks = random.normal(size=(14, 16, 3))
    looks[:9, :2] = 0.3 * random.normal(size=(9, 2, 3))
    own = set(images if seed == 3 else images[:9])
    cells = corners(4, 4)["top left"].ravel()

    def apart(a: int, b: int, mask: np.ndarray) -> float:
        return float(((looks[a][mask] - looks[b][mask]) ** 2).mean())

    def literal(kept: np.ndarray) -> float:
        same = np.mean([apart(a, b, cells) for a in kept for b in kept if a != b])
        if len(own) == 14:
            other = np.mean([apart(a, b, ~cells) for a in kept for b in kept if a != b])
        else:
            other = np.mean([apart(a, b, cells) for a in kept for b in range(len(own), 14)])
        return float(1 - same / other)

    record = SimpleNamespace(cell_looks=(images, looks, (4, 4)))
    got = alikeness(cast(RelianceRecord, record), "top left", own)
    expected = jackknife(literal, len(own), within=(-np.inf, 1.0))
    assert (got.value, got.low, got.high) == pytest.approx((expected.value, expected.low, expected.high), abs=1e-10)
    # The companion: without the first image it is another value.
    assert literal(np.arange(1, len(own))) != pytest.approx(got.value, abs=1e-6)
