"""What a comparison with an interval and an adjusted p says of the two, and which values would have decided it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from core.rules.estimate_rules import Comparison, adjustment, outcomes_of
from core.rules.power import Against, power_of, power_sentence
from core.statistics import interval_of_means, mean_over_images, sign_flip_p

NAMES = [f"i{at}" for at in range(12)]


def comparison(name: str, mean: float, seed: int = 0) -> Comparison:
    values = np.random.default_rng(seed).normal(size=len(NAMES))
    values = mean + 0.1 * (values - values.mean()) / values.std(ddof=1)
    images = pd.DataFrame({"image": NAMES, "image_name": NAMES, "text": "t", "value": values})
    return Comparison(name, mean_over_images(values, np.array(NAMES)), images, name)


def test_an_interval_that_excludes_the_limit_beside_an_adjusted_p_that_does_not_is_explained() -> None:
    """Five comparisons, each of which would be decided by itself."""
    family = [comparison(f"part {at}", 0.072, at) for at in range(5)]
    outcomes = list(outcomes_of(family, 0.0, at_most=False, least_n=12, significance=0.05))
    apart = [one for one in outcomes if one.verdict == "cannot_conclude" and one.values["low"] > 0]
    assert apart and all(one.values["p"] >= 0.05 for one in apart)
    said = {one.values["adjustment"] for one in outcomes}
    assert said == {", adjusted for 5 comparisons, whereas the interval is that of this one alone"}
    # A comparison by itself has one verdict by both, and nothing to explain.
    at = outcomes.index(apart[0])
    (alone,) = outcomes_of(family[at : at + 1], 0.0, at_most=False, least_n=12, significance=0.05)
    assert alone.verdict == "passed" and alone.values["adjustment"] == adjustment(1) == ""


def test_both_values_that_would_have_decided_are_told_with_their_signs() -> None:
    measured = comparison("one", 0.03).row
    against = Against(0.0, at_most=False, tests=2, both=True)
    told = power_sentence(measured, against, 0.05)
    power = power_of(measured, against, 0.05)
    assert power is not None and power.opposite == pytest.approx(-power.detectable) and power.opposite > 0.03
    low, high = (f"{float(f'{abs(value):.2g}'):g}" for value in (power.detectable, power.opposite))
    assert told.startswith(
        f"With 12 images, a value below about \u2212{low} would have been a finding and one above about +{high} would "
        "have passed, each with 90 % power, adjusted for 2 comparisons."
    )
    upward = power_sentence(measured, Against(0.02, tests=2, both=True), 0.05)
    assert "above about +0." in upward and "a finding and one below about \u22120." in upward
    # Where the test has one direction, one value decides.
    assert "would have passed" not in power_sentence(measured, Against(0.0, at_most=False, tests=2), 0.05)


def test_the_units_that_would_let_a_check_pass_are_those_of_the_adjusted_test() -> None:
    random = np.random.default_rng(3)
    against = Against(0.0, at_most=False, tests=8, both=True)
    got = power_of(interval_of_means(0.08 + 0.3 * _standard(24)), against, 0.05)
    plain = power_of(interval_of_means(0.08 + 0.3 * _standard(24)), Against(0.0, at_most=False, tests=8), 0.05)
    assert got is not None and plain is not None and got.needed is not None and plain.needed is not None
    assert got.needed > plain.needed

    def passed(n: int) -> float:
        hits = 0
        for _ in range(300):
            p = sign_flip_p(random.normal(0.08, 0.3, n))
            hits += p is not None and p < 0.05 / 8
        return hits / 300

    assert passed(got.needed) > 0.84 > passed(plain.needed)


def _standard(n: int) -> np.ndarray:
    values = np.random.default_rng(1).normal(size=n)
    return np.asarray((values - values.mean()) / values.std(ddof=1))
