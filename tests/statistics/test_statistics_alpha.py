"""Krippendorff's alpha against his worked example, the pairwise definition, and ratings without agreement."""

from __future__ import annotations

import numpy as np
import pytest

from core.statistics.alpha import krippendorff_alpha

# Krippendorff (2011), "Computing Krippendorff's alpha-reliability", four observers and twelve units: 0.743.
OBSERVERS = (
    "1 2 3 3 2 1 4 1 2 - - -",
    "1 2 3 3 2 2 4 1 2 5 - 3",
    "- 3 3 3 2 3 4 2 2 5 1 -",
    "1 2 3 3 2 4 4 1 2 5 1 -",
)
EXAMPLE = [
    [None if mark == "-" else mark for mark in unit] for unit in zip(*(row.split() for row in OBSERVERS), strict=True)
]


def by_pairs(ratings: list[list[str | None]]) -> float:
    """Alpha as one minus observed over expected disagreement, each counted pair by pair."""
    kept = [[mark for mark in row if mark is not None] for row in ratings]
    kept = [row for row in kept if len(row) > 1]
    every = [mark for row in kept for mark in row]
    observed = sum(
        (a != b) / (len(row) - 1) for row in kept for i, a in enumerate(row) for j, b in enumerate(row) if i != j
    ) / len(every)
    pairs = [(a, b) for i, a in enumerate(every) for j, b in enumerate(every) if i != j]
    return 1 - observed / (sum(a != b for a, b in pairs) / len(pairs))


def test_the_published_example() -> None:
    found = krippendorff_alpha(EXAMPLE)
    assert found.value == pytest.approx(0.743, abs=5e-4) and found.n == 11
    assert found.value == pytest.approx(by_pairs(EXAMPLE))
    turned = [*EXAMPLE[1:], EXAMPLE[0][::-1]]
    assert krippendorff_alpha(turned).value == pytest.approx(found.value)
    mixed = [list(row) for row in EXAMPLE]
    for at in range(12):
        mixed[at][3] = EXAMPLE[(at + 5) % 12][3]
    assert krippendorff_alpha(mixed).value == pytest.approx(by_pairs(mixed))
    assert abs(krippendorff_alpha(mixed).value - 0.743) > 0.1  # type: ignore[operator]


def test_random_ratings_agree_by_chance_and_equal_ones_entirely() -> None:
    random = np.random.default_rng(0)
    chance = random.choice(["left", "right", "neither"], (400, 3)).tolist()
    found = krippendorff_alpha(chance)
    assert found.low is not None and found.high is not None and found.low < 0 < found.high < 0.1
    same = krippendorff_alpha([[mark] * 3 for mark in ["left", "right"] * 10])
    assert same.value == 1.0


def test_items_of_one_unit_are_left_out_together() -> None:
    random = np.random.default_rng(1)
    ratings, units = [], []
    for unit in range(12):
        # All items of a unit agree, or none does.
        agree = unit % 2 == 0
        for _ in range(6):
            first = str(random.integers(3))
            ratings.append([first, first if agree else str((int(first) + 1) % 3)])
            units.append(f"image {unit}")
    by_unit, by_item = krippendorff_alpha(ratings, units), krippendorff_alpha(ratings)
    assert by_unit.value == by_item.value and (by_unit.n, by_item.n) == (12, 72)
    width = by_unit.high - by_unit.low  # type: ignore[operator]
    assert width > 1.5 * (by_item.high - by_item.low)  # type: ignore[operator]


@pytest.mark.parametrize("ratings", [[], [["left", None]], [[None, None]], [["left", "left"], ["left", "left"]]])
def test_nothing_to_agree_on_gives_no_value(ratings: list[list[str | None]]) -> None:
    assert krippendorff_alpha(ratings).value is None
