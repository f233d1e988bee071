"""What rules share: evidence and samples from rows, and how methods are named."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np

from core.languages import say, typeset
from core.methods import METHODS
from core.rules.finding import Sample
from core.rules.writing import NONE, in_words

SAMPLES = 3
# How many rows of evidence a finding names.
NAMED = 4
# The kinds of texts that maps are about, as a sentence names them.
TEXT_KINDS = {"caption": "captions", "class": "classes", "prompt": "prompts"}  # messages
# The kind of one text.
TEXT_KIND = {"caption": "caption", "class": "class", "prompt": "prompt"}  # messages
CONTROL_TITLES = {"random": "Random map", "centre": "Centre Gaussian", "edge": "Edge map"}  # messages


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
    return METHODS[method].title if method in METHODS else say(CONTROL_TITLES.get(method, method))


def names_of(methods: Sequence[str]) -> str:
    """The titles of methods as a list in a sentence; "none" where it is empty."""
    return in_words([title_of(name) for name in methods]) or say(NONE)


def kind_words(kind: str) -> str:
    """How a kind of text is named in a sentence: `captions`."""
    return say(TEXT_KINDS.get(kind, kind))


def names_by_kind(pairs: Iterable[tuple[str, str]]) -> str:
    """Methods, each with a kind of text, as a list in a sentence: `RISE for captions and classes; LIME for classes`."""
    kinds: dict[str, list[str]] = {}
    for method, kind in pairs:
        kinds.setdefault(method, []).append(kind_words(kind))
    methods: dict[tuple[str, ...], list[str]] = {}
    for method, of in kinds.items():
        methods.setdefault(tuple(sorted(of)), []).append(method)
    return "; ".join(names_of(names) + _for(of) for of, names in methods.items()) or say(NONE)


def _for(kinds: tuple[str, ...]) -> str:
    words = in_words(kinds)
    return say(" for {kinds}", kinds=words) if words else ""


def known(value: float | None) -> float | None:
    """The value, None where it isn't known."""
    return None if value is None or np.isnan(value) else float(value)
