"""Cohen's kappa against scikit-learn and worked examples, and the coverage of its interval."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from core.statistics.kappa import cohen_kappa


def test_the_value_is_that_of_scikit_learn() -> None:
    random = np.random.default_rng(0)
    for n in (9, 40):
        first = random.choice(["right", "wrong", "unsure"], n)
        second = np.where(random.random(n) < 0.6, first, random.choice(["right", "wrong", "unsure"], n))
        found = cohen_kappa(first.tolist(), second.tolist())
        assert found.value == pytest.approx(cohen_kappa_score(first, second)) and found.n == n
        # The companion: with the marks of one judge in another order the agreement is another.
        assert found.value != pytest.approx(cohen_kappa(first.tolist(), second[::-1].tolist()).value)


def test_full_agreement_keeps_an_interval_of_some_width() -> None:
    found = cohen_kappa(["right", "wrong"] * 10, ["right", "wrong"] * 10)
    assert found.value == found.high == 1.0 and found.low is not None and 0.6 < found.low < 0.75


def test_what_is_not_defined_has_no_value() -> None:
    assert cohen_kappa(["right"] * 9, ["right"] * 9).value is None
    assert cohen_kappa([], []).value is None
    few = cohen_kappa(["right", "wrong", "right"], ["right", "wrong", "wrong"])
    assert few.value is not None and few.low is None
    with pytest.raises(ValueError, match="same units"):
        cohen_kappa(["right"], [])


def test_the_interval_covers() -> None:
    random = np.random.default_rng(1)
    # Both judges: right with 0.7; they copy each other with 0.6: kappa is 0.6.
    covered = 0
    for _ in range(400):
        first = random.random(50) < 0.7
        second = np.where(random.random(50) < 0.6, first, random.random(50) < 0.7)
        found = cohen_kappa(first.astype(str).tolist(), second.astype(str).tolist())
        assert found.low is not None and found.high is not None
        covered += found.low <= 0.6 <= found.high
    assert covered / 400 > 0.9
