"""What the body says of concepts: whether they carry the decision, and how far arbitrary signs change the score."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from core.applications.knowledge.measures import decision_told, signs_result

IMAGES = 60


def decided(through: int, without: int) -> Any:
    """A record of which so many of the images keep their class through the concepts alone, and without them."""
    at = np.arange(IMAGES)
    return SimpleNamespace(images=pd.DataFrame({"kept_through": at < through, "kept_without": at < without}))


def test_concepts_do_not_carry_decisions_that_stay_without_them() -> None:
    told = decision_told(decided(24, 48))
    assert "through the concepts alone: 0.40 [" in told and "without the concepts: 0.80 [" in told
    assert told.endswith("Most decisions do not need the concepts: they do not carry the decision.")
    # The companions: decisions that change, and a share that decides nothing.
    assert decision_told(decided(48, 6)).endswith("Most decisions change without the concepts.")
    assert "decisions" not in decision_told(decided(30, 32))


def signs(own: float, between: float) -> Any:
    random = np.random.default_rng(0)
    rows = [
        {"image": str(image), "flips": flip, "score": random.normal(scale=own)}
        for image in range(12)
        for flip in range(3)
    ]
    scores = pd.DataFrame({"variant": "pca", "score": np.linspace(-1, 1, 40) * between})
    return SimpleNamespace(sign_spread=pd.DataFrame(rows), partitions=scores)


def test_arbitrary_signs_are_compared_with_the_images() -> None:
    told = signs_result(signs(2.0, 3.0))
    assert "against 1.80 between images" in told and told.endswith("can come from this choice alone.")
    assert "choice alone" not in signs_result(signs(0.1, 3.0))
    assert signs_result(SimpleNamespace(sign_spread=pd.DataFrame(), partitions=signs(1, 1).partitions)) == ""  # type: ignore[arg-type]
