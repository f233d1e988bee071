"""What the body says of own and wrong texts: an unfavourable difference is stated as well as a favourable one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from core.applications.information.chapter import results


def row(low: float, high: float, **changes: Any) -> SimpleNamespace:
    values = {
        "measure": "per_place",
        "side": "text",
        "price": 0.1,
        "own": 361.2,
        "wrong": 395.6,
        "n": 8,
        "share": 0.125,
    }
    return SimpleNamespace(**values | {"value": (low + high) / 2, "low": low, "high": high} | changes)


def test_a_difference_below_zero_is_stated_first() -> None:
    lower, higher = row(-67.0, -1.0), row(0.01, 0.2, measure="cosine", side="image", share=0.75)
    told = results([higher, lower, row(-1.0, 1.0, price=3.0)])
    assert len(told) == 2 and ", not adjusted for the 3 differences compared: nats per token (text" in told[0]
    assert told[0].startswith("Lower for the own text, by the whole interval")
    assert "361.2 against 395.6" in told[0] and "in 1 of 8 images" in told[0] and "β = 3" not in told[0]
    assert told[1].startswith("Higher for the own text") and "in 6 of 8 images" in told[1]


def test_without_a_difference_the_body_says_so() -> None:
    assert results([row(-1.0, 1.0)]) == ("In no measure does the interval of the difference exclude 0.",)
    # Too few images have no interval, and no difference either.
    assert results([row(float("nan"), float("nan"))]) == results([row(-1.0, 1.0)])
