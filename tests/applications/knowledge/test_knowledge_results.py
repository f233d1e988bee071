"""What the body says of concepts: whether they carry the decision, and how far arbitrary signs change the score."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from core.applications.knowledge.measures import decision_told, removal_chart, signs_result
from core.applications.knowledge.record import of_run
from core.content.charts import INK, to_svg
from tests.support.made_knowledge import made_knowledge
from tests.support.made_run import made_run

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
    # Of 40 images, the first 12 have rows with other signs.
    images = [str(image) for image in range(40)]
    scores = pd.DataFrame({"image": images, "variant": "pca", "score": np.linspace(-1, 1, 40) * between})
    return SimpleNamespace(sign_spread=pd.DataFrame(rows), partitions=scores)


def test_arbitrary_signs_are_compared_with_the_images() -> None:
    told = signs_result(signs(2.0, 3.0))
    # The standard deviation of the 12 images with other signs; over all 40 it is 1.80.
    assert "against 0.55 between these images" in told and told.endswith("can come from this choice alone.")
    assert "choice alone" not in signs_result(signs(0.1, 3.0))
    assert signs_result(SimpleNamespace(sign_spread=pd.DataFrame(), partitions=signs(1, 1).partitions)) == ""  # type: ignore[arg-type]


def test_each_kind_of_line_has_a_sample_with_a_colour_in_the_legend(tmp_path: Path) -> None:
    """A legend of dashes alone gives its samples no colour: they are not drawn."""
    run = made_run(tmp_path / "run")
    made_knowledge(run)
    record = of_run(run)
    assert record is not None
    svg = to_svg(removal_chart({"one model": record}), "curves")
    samples = re.findall(r'role-legend-symbol"[^>]*><path [^>]*>', svg)
    # The model, its own class, other classes.
    assert len(samples) == 3 and all('stroke="#' in sample for sample in samples)
    assert [f'stroke="{INK}"' in sample for sample in samples] == [False, True, True]
    assert ["stroke-dasharray" in sample for sample in samples] == [False, True, True]
