"""What the glossary says of faithfulness: random orders of the cells yield 0 on average, and a single one does not."""

from __future__ import annotations

import numpy as np
import pytest

from core.glossary import definition


def faithfulness(order: np.ndarray, weights: np.ndarray, pairs: np.ndarray) -> float:
    """Insertion minus deletion, by trapezia, of a score with interactions that is 1 for all cells and 0 for none."""

    def score(visible: np.ndarray) -> float:
        return float(weights @ visible + visible @ pairs @ visible)

    shown, hidden = np.zeros(len(order)), np.ones(len(order))
    insertion, deletion = [score(shown)], [score(hidden)]
    for cell in order:
        shown[cell], hidden[cell] = 1.0, 0.0
        insertion.append(score(shown))
        deletion.append(score(hidden))
    whole = score(np.ones(len(order)))
    return float(np.trapezoid(insertion) - np.trapezoid(deletion)) / len(order) / whole


def test_random_orders_yield_zero_on_average_and_not_each() -> None:
    random = np.random.default_rng(0)
    weights, pairs = random.exponential(size=16), random.normal(0, 0.05, (16, 16))
    values = [faithfulness(random.permutation(16), weights, pairs) for _ in range(3000)]
    error = np.std(values) / np.sqrt(len(values))
    assert np.mean(values) == pytest.approx(0.0, abs=4 * error)
    assert np.abs(values).max() > 0.1 and np.mean(np.abs(values) > 0.01) > 0.5
    assert faithfulness(np.argsort(-weights), weights, pairs) > 10 * error
    assert "On average a random order" in definition("Faithfulness")
