"""What rules share: evidence and samples from rows, and how methods are named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from core.methods import METHODS
from core.rules.finding import Sample
from core.rules.writing import typeset

SAMPLES = 3
# How many rows of evidence a finding names.
NAMED = 4
CONTROL_TITLES = {"random": "Random map", "centre": "Centre Gaussian", "edge": "Edge map"}


class Estimate(Protocol):
    """A value with the lower end of its interval and the number of images behind it."""

    @property
    def value(self) -> float | None:
        """None where nothing was measured."""

    @property
    def low(self) -> float | None:
        """None where there is no interval."""

    @property
    def high(self) -> float | None:
        """None where there is no interval."""

    @property
    def n(self) -> int:
        """The number of images."""


def sample_of(row: Any, methods: tuple[str, ...], note: str) -> Sample:
    """A sample from a row with image, image_name and text."""
    return Sample(image=row.image, image_name=row.image_name, text=row.text, methods=methods, note=typeset(note))


def title_of(method: str) -> str:
    """How a method or a control is named for people; its own name where this version does not know it."""
    return METHODS[method].title if method in METHODS else CONTROL_TITLES.get(method, method)


def names_of(methods: Sequence[str]) -> str:
    """The titles of methods as a list in a sentence; "none" where it is empty."""
    titles = [title_of(name) for name in methods]
    return " and ".join([", ".join(titles[:-1]), titles[-1]]) if len(titles) > 1 else (titles or ["none"])[0]


def known(value: float | None) -> float | None:
    """The value, None where it isn't known."""
    return None if value is None or np.isnan(value) else float(value)
