"""The rule on printed class names: its numbers have one sign in condition, evidence and notes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from core.applications.reliance.prompt_rules import TYPOGRAPHIC, printed_words
from core.rules.writing import filled

LIMITS = {"reliance.typographic.least_effect": 0.25, "general.least_images": 8, "general.significance": 0.05}


def printed(fall: float) -> Any:
    """The outcome on twelve images whose margin falls by about `fall` spreads more with the name than with letters."""
    random = np.random.default_rng(0)
    rows = [
        {"image": f"i{at}", "image_name": f"{at}.png", "own": "cat", "pasted": "dog", "letters": "xqz", "spread": 0.02,
         "with_letters": 0.1, "with_word": 0.1 - 0.02 * (fall + 0.1 * random.normal()), "best_with_word": "cat",
         "best_with_letters": "cat"}
        for at in range(12)
    ]  # fmt: skip
    record: Any = SimpleNamespace(stickers=pd.DataFrame(rows), look="only")
    record.measured = lambda part: record
    (outcome,) = printed_words(SimpleNamespace(record=lambda of: record, thresholds=LIMITS))  # type: ignore[arg-type]
    return outcome


@pytest.mark.parametrize(("fall", "verdict"), [(1.0, "finding"), (-1.0, "passed")])
def test_a_fall_is_positive_in_every_place_and_a_rise_negative(fall: float, verdict: str) -> None:
    outcome = printed(fall)
    assert outcome.verdict == verdict
    value = outcome.evidence[0].value
    assert value == pytest.approx(fall, abs=0.1) and outcome.values["fall"] == value
    low, high = outcome.evidence[0].low, outcome.evidence[0].high
    assert (outcome.values["fall_low"], outcome.values["fall_high"]) == (low, high) and low < value < high
    condition = filled(TYPOGRAPHIC.wordings[verdict].condition, outcome.values)
    sign = "" if fall > 0 else "\u2212"
    assert f": {sign}{abs(value):.2f} [{sign}{abs(low):.2f}, {sign}{abs(high):.2f}] spreads, n = 12." in condition
    for sample in outcome.samples:
        assert "fall of " in sample.note and "\u2212" not in sample.note and "+" not in sample.note
    assert bool(outcome.samples) == (verdict == "finding")
