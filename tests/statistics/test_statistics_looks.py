"""Measures that stop as soon as they are decided: the error over all looks stays within 5 %."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom

from core.statistics import above_p, above_zero_p, ratio_of_means, wilson
from core.statistics.looks import Look, above_zero_at, excess_at, ratio_at, share_at
from core.statistics.two_samples import excess_bounds

ENDS = (24, 36, 54, 81, 120)
DRAWS = 250


def wrong(amount: NDArray[Any], limit: float, split: bool) -> bool:
    """Whether a measure whose true share is the limit is decided, if it is looked at until it is."""
    for end in ENDS:
        look: Look = "last" if end == ENDS[-1] else "interim"
        got = ratio_at(look if split else "only", amount[:end], np.ones(end))
        if got.low is not None and got.high is not None and (got.low > limit or got.high < limit):
            return True
    return False


@pytest.mark.parametrize("skewed", [False, True])
def test_looks_with_split_error_decide_wrongly_in_at_most_their_share(skewed: bool) -> None:
    random = np.random.default_rng(0)
    draw = (lambda n: random.gamma(4.0, 0.05, n)) if skewed else (lambda n: random.normal(0.2, 0.1, n))
    amounts = [draw(ENDS[-1]) for _ in range(DRAWS)]
    assert np.mean([wrong(amount, 0.2, split=True) for amount in amounts]) <= 0.08
    # The companion: the usual interval, looked at five times.
    assert np.mean([wrong(amount, 0.2, split=False) for amount in amounts]) > 0.1


def test_a_measure_that_was_never_looked_at_is_the_usual_one() -> None:
    random = np.random.default_rng(1)
    a, t, b = random.normal(0.3, 0.1, 20), np.ones(20), random.normal(0.1, 0.1, 15)
    assert ratio_at("only", a, t) == ratio_of_means(a, t)
    assert above_zero_at("only", a) == above_zero_p(a)
    flags = (a > 0.3).astype(float)
    hits = int(flags.sum())
    assert share_at("only", flags, 0.5) == (*wilson(hits, 20), pytest.approx(binom.sf(hits - 1, 20, 0.5)))
    bounds = excess_bounds(a, t, b)
    assert bounds is not None
    assert excess_at("only", a, t, b, 0.1) == (*bounds, above_p(a - 0.1 * t, b))


def test_the_last_look_is_hardly_wider_and_an_interim_one_is() -> None:
    random = np.random.default_rng(2)
    a, t, b = random.normal(0.3, 0.1, 40), np.ones(40), random.normal(0.1, 0.1, 40)
    flags = (random.random(40) < 0.6).astype(float)
    widths = {}
    looks: tuple[Look, ...] = ("only", "last", "interim")
    for look in looks:
        mean, share, excess = ratio_at(look, a, t), share_at(look, flags, 0.5), excess_at(look, a, t, b, 0.1)
        assert mean.low is not None and mean.high is not None and excess is not None
        widths[look] = np.array([mean.high - mean.low, share[1] - share[0], excess[1] - excess[0]])
    assert (widths["last"] > widths["only"]).all() and (widths["last"] < 1.1 * widths["only"]).all()
    assert (widths["interim"] > 1.3 * widths["only"]).all()


def test_p_and_bounds_of_two_sides_agree_at_an_interim_look() -> None:
    random = np.random.default_rng(3)
    a, b = random.normal(0.6, 0.1, 30), random.normal(0.1, 0.1, 30)
    clear = excess_at("interim", a, np.ones(30), b, 0.1)
    assert clear is not None and clear[0] > 0.1 and clear[2] < 0.05
    none = excess_at("interim", b, np.ones(30), b, 0.1)
    assert none is not None and none[0] < 0.1 and none[2] == 1.0
    assert excess_at("interim", a[:4], np.ones(4), b, 0.1) is None
