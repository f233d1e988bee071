"""What an undecided rule would have shown: checked by simulation, adjusted for its family, and never too precise."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy.stats import binom

from core.rules.power import Against, power_of, power_sentence
from core.statistics import Interval, above_zero_p, interval_of_means, wilson
from core.statistics.intervals import SHARE

LIMIT = Against(0.1)


def estimate(n: int, mean: float = 0.15, spread: float = 0.3, seed: int = 0) -> Interval:
    values = np.random.default_rng(seed).normal(size=n)
    return interval_of_means(mean + spread * (values - values.mean()) / values.std(ddof=1))


@pytest.mark.parametrize("tests", [1, 20])
def test_the_detectable_effect_is_found_nine_times_in_ten(tests: int) -> None:
    got = power_of(estimate(24), Against(0.1, tests=tests), 0.05)
    assert got is not None
    random = np.random.default_rng(1)
    hits = dict.fromkeys((got.detectable, (got.detectable + 0.1) / 2), 0)
    for shift in hits:
        for _ in range(400):
            values = random.normal(shift, 0.3, 24)
            p, mean = above_zero_p(values - 0.1), interval_of_means(values)
            hits[shift] += p is not None and p < 0.05 / tests and mean.low is not None and mean.low > 0.1
    full, half = (count / 400 for count in hits.values())
    assert 0.84 < full < 0.95
    # Half the effect is found far less often.
    assert half < 0.6


def test_more_comparisons_need_larger_effects_and_more_units() -> None:
    one, many = (power_of(estimate(24), Against(0.1, tests=tests), 0.05) for tests in (1, 50))
    assert one is not None and many is not None and one.needed is not None and many.needed is not None
    assert many.detectable > one.detectable > 0.1 and many.needed > one.needed > 24


def test_the_number_of_units_is_what_a_simulation_needs() -> None:
    got = power_of(estimate(24, mean=0.25), LIMIT, 0.05)
    assert got is not None and got.needed is not None
    random = np.random.default_rng(2)
    means = [interval_of_means(random.normal(0.25, 0.3, got.needed)) for _ in range(300)]
    assert 0.86 < np.mean([mean.low is not None and mean.low > 0.1 for mean in means]) < 0.99


def test_no_false_precision_and_no_interval_no_sentence() -> None:
    told = power_sentence(estimate(24), Against(0.1, tests=3, percent=True), 0.05)
    assert told == (
        "With 24 images, a value above about 33 % would have been a finding with 90 % power, adjusted for 3 "
        "comparisons. Needed to decide with the same power, if value and spread stay the same: about 460 images."
    )
    below = power_sentence(estimate(24, mean=0.4), Against(0.5, at_most=False), 0.05, "texts")
    assert below.startswith("With 24 texts, a value below about 0.2") and "comparisons" not in below
    assert power_sentence(Interval(0.1, None, None, 3), LIMIT, 0.05, "texts") == (
        "At n = 3 there is no interval, and without one there is no verdict; at least 7 texts are needed."
    )
    assert power_sentence(Interval(0.1, None, None, 7), LIMIT, 0.05) == ""
    on_the_limit = power_sentence(estimate(24, mean=0.1), LIMIT, 0.05)
    assert on_the_limit.endswith("more than can be stated.")


def test_values_are_printed_as_everywhere() -> None:
    below = power_sentence(estimate(24, mean=0.05), Against(0.0, at_most=False), 0.05)
    assert "below about \u22120." in below and "-" not in below


def test_the_power_of_a_share_is_exact_and_no_share_exceeds_all() -> None:
    low, high = wilson(2, 9)
    nine, share = Interval(2 / 9, low, high, 9), Against(0.5, tests=12, percent=True, counts=True)
    # Only 9 of 9 are a finding: a share q gives them with q^9.
    assert power_sentence(nine, share, 0.05).startswith(f"With 9 images, a value above about {0.9 ** (1 / 9):.0%}"[:-1])
    few = power_sentence(nine, Against(0.5, tests=400, percent=True, counts=True), 0.05)
    assert few == (
        "Not even a share of 100 % of 9 images would have been a finding, adjusted for 400 comparisons: that takes at "
        "least 13 images."
    )
    assert 0.5**13 < 0.05 / 400 < 0.5**12
    # By the approximation for means it is a value that no share has.
    assert "about 103 %" in power_sentence(nine, Against(0.5, tests=12, percent=True), 0.05)
    bounded = power_sentence(nine, Against(0.5, tests=12, percent=True, within=(0.0, 1.0)), 0.05)
    assert bounded.startswith("Needed to decide") and "a value" not in bounded.split(",")[0]
    assert power_sentence(nine, Against(1.0, counts=True), 0.05) == ""


def test_fewer_units_than_any_conclusion_needs_promise_none() -> None:
    few = power_sentence(estimate(8, mean=0.9), Against(0.1, tests=2), 0.05, "texts", least_n=12)
    assert few == (
        "With 8 texts, no value could have been a finding. Needed to decide with 90 % power, if value and spread stay "
        "the same: about 12 texts."
    )
    assert "would have been a finding with 90 % power" in power_sentence(estimate(12), LIMIT, 0.05, least_n=12)
    many = power_sentence(estimate(8), LIMIT, 0.05, least_n=12)
    assert many.endswith(power_sentence(estimate(8), LIMIT, 0.05).rpartition(": ")[2]) and "about 12" not in many


def test_a_share_at_the_end_of_its_range_has_the_power_of_a_share_of_units() -> None:
    none = Interval(0.0, *wilson(0, 12), 12)
    exact = power_sentence(none, Against(0.2, percent=True, counts=True), 0.05)
    assert power_sentence(none, Against(0.2, percent=True, within=SHARE), 0.05) == exact
    told = float(re.search(r"above about (\d+)", exact)[1]) / 100  # type: ignore[index]
    hits = next(hits for hits in range(13) if wilson(hits, 12)[0] > 0.2 and binom.sf(hits - 1, 12, 0.2) < 0.05)
    assert binom.sf(hits - 1, 12, told) == pytest.approx(0.9, abs=0.02)
    inner = Interval(0.3, *wilson(3.6, 12), 12)
    assert power_sentence(inner, Against(0.2, percent=True, within=SHARE), 0.05) != power_sentence(
        inner, Against(0.2, percent=True, counts=True), 0.05
    )
