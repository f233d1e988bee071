"""What rules share: samples from rows, the outcome for too few pictures, the command that reproduces."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.evaluation.reliance import Share
from core.findings.finding import Finding, Sample
from core.findings.outcomes import cannot_conclude
from core.findings.thresholds import Thresholds
from core.methods import METHODS
from core.runs import Run
from core.statistics import FEWEST, Interval

SAMPLES = 3
# How many rows of evidence a finding names.
NAMED = 4


def sample_of(row: Any, methods: tuple[str, ...], note: str) -> Sample:
    """A sample from a row with image, image_name and text."""
    return Sample(image=row.image, image_name=row.image_name, text=row.text, methods=methods, note=note)


def undecided(got: Interval | Share, thresholds: Thresholds) -> bool:
    """Whether there are too few images for a verdict: fewer than the thresholds ask for, or too few for an interval."""
    return got.n < int(thresholds["general.least_images"]) or got.value is None or got.low is None


def too_few(title: str, n: int, thresholds: Thresholds, common: dict[str, Any]) -> Finding:
    """The outcome of a rule that has too few pictures."""
    least = max(int(thresholds["general.least_images"]), FEWEST)
    return cannot_conclude(
        title=title,
        condition=f"Only {n} pictures carry this measure; at least {least} are needed.",
        **common,
    )


def title_of(method: str) -> str:
    """How a method is named for people; its own name where this version doesn't know it."""
    return METHODS[method].title if method in METHODS else method


def known(value: float | None) -> float | None:
    """The value, None where it isn't known."""
    return None if value is None or np.isnan(value) else float(value)


def again(run: Run) -> str:
    """The command that works a run and its report out again; RUN is its folder, so that equal runs say the same."""
    return "python -m core resume RUN && python -m core report RUN"
