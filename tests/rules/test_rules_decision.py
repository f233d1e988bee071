"""What an interval decides: nothing passes that is not shown to hold, and nothing fails that is not shown to fail."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.rules.decision import Decisions, decision, status_of
from core.rules.parts import names_of
from core.statistics import Interval

values = st.floats(-1, 1)


@pytest.mark.parametrize(
    ("low", "high", "at_least", "at_most"),
    [
        (0.31, 0.5, "holds", "fails"),
        (0.1, 0.29, "fails", "holds"),
        (0.1, 0.5, "undecided", "undecided"),
        (0.3, 0.5, "holds", "undecided"),
    ],
)
def test_only_a_whole_interval_decides(low: float, high: float, at_least: str, at_most: str) -> None:
    estimate = Interval((low + high) / 2, low, high, 12)
    assert decision(estimate, 0.3, at_most=False, least_n=8) == at_least
    assert decision(estimate, 0.3, at_most=True, least_n=8) == at_most


def test_too_few_units_or_no_interval_decide_nothing() -> None:
    assert decision(Interval(0.9, 0.8, 1.0, 7), 0.3, at_most=False, least_n=8) == "too few"
    assert decision(Interval(0.9, None, None, 12), 0.3, at_most=False, least_n=8) == "too few"
    assert decision(Interval(0.9, math.nan, math.nan, 12), 0.3, at_most=False, least_n=8) == "too few"


@given(values, values, values, st.booleans())
def test_a_value_within_the_limit_never_fails_and_one_beyond_never_holds(
    a: float, b: float, limit: float, at_most: bool
) -> None:
    low, high = sorted((a, b))
    found = decision(Interval((low + high) / 2, low, high, 20), limit, at_most=at_most, least_n=8)
    within = low <= limit if at_most else high >= limit
    assert found != "fails" or not within
    assert found != "holds" or within


def test_a_rule_passes_only_if_everything_holds() -> None:
    assert status_of(["holds", "holds"]) == "passed"
    assert status_of(["holds", "undecided"]) == "cannot_conclude"
    assert status_of(["undecided", "fails", "holds"]) == "finding"
    assert status_of([]) == "cannot_conclude"


def test_counts_and_names_leave_out_what_was_not_tested() -> None:
    every = Decisions({"rise": "holds", "raw": "fails", "lime": "undecided", "gradcam": "too few"})
    assert (every.status, every.tested) == ("finding", ["rise", "raw", "lime"])
    assert every.values["tested"] == 3 and every.values["passing"] == 1
    assert every.values["few"] == "Grad-CAM" and every.values["open"] == "LIME"
    assert Decisions({"rise": "holds", "gradcam": "too few"}).status == "passed"
    assert Decisions({"gradcam": "too few"}).status == "cannot_conclude"


def test_names_read_as_a_list() -> None:
    assert names_of([]) == "none" and names_of(["rise"]) == "RISE"
    assert names_of(["rise", "raw", "lime"]) == "RISE, Raw similarity and LIME"
