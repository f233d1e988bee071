"""What the comparison of the smallest groups is said to be able to show, against what the rule would report."""

from __future__ import annotations

import numpy as np
import pytest

from core.applications.columns import Group
from core.applications.image_measures import ImageMeasure
from core.applications.subgroups.comparisons import Effect, compared
from core.applications.subgroups.power import images_for_none, smallest_shown

LIMIT, SIGNIFICANCE = 0.71, 0.05


def effect_of(own: np.ndarray, others: np.ndarray) -> Effect:
    members, rest = (tuple(f"{name}{at}" for at in range(len(x))) for name, x in (("a", own), ("b", others)))
    values = dict(zip((*members, *rest), (*own, *others), strict=True))
    (effect,) = compared([Group("kind", "a", members, rest)], [ImageMeasure("m", "measure", "data", values)], 4)
    return effect


def reported(own: np.ndarray, others: np.ndarray, tested: int) -> bool:
    effect = effect_of(own, others)
    return (effect.low > LIMIT or effect.high < 1 - LIMIT) and min(1.0, effect.p * tested) < SIGNIFICANCE


@pytest.mark.parametrize(("n", "others", "tested"), [(8, 84, 242), (4, 5, 242), (8, 84, 3)])
def test_a_complete_separation_is_said_to_be_reported_where_it_is(n: int, others: int, tested: int) -> None:
    own, rest = np.arange(others, others + n, dtype=float), np.arange(others, dtype=float)
    told = smallest_shown([effect_of(own, rest)], tested, LIMIT, SIGNIFICANCE)
    assert ("not even" in told) is not reported(own, rest, tested)
    assert "close to 100 %" in told or "not even" in told


def test_the_smallest_effect_is_reported_in_nine_of_ten_cases_and_a_smaller_one_is_not() -> None:
    random, n, others = np.random.default_rng(0), 60, 60
    told = smallest_shown([effect_of(random.normal(size=n), random.normal(size=others))], 10, LIMIT, SIGNIFICANCE)
    share = float(told.removeprefix("an effect of ").split(" %")[0]) / 100
    from scipy.stats import norm

    def power(of: float) -> float:
        shift = norm.ppf(of) * 2**0.5
        return float(
            np.mean([reported(random.normal(shift, size=n), random.normal(size=others), 10) for _ in range(300)])
        )

    assert power(share) > 0.85
    assert power(LIMIT + 0.02) < 0.5


def test_the_images_that_would_show_no_difference() -> None:
    effect = effect_of(np.arange(8.0), np.arange(84.0))
    images = images_for_none([effect], LIMIT)
    assert images > 92 and images_for_none([effect], 0.64) > images
