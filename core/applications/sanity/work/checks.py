"""From a method's maps of one image in several states to the numbers of the sanity checks.

Maps are `(texts, rows, columns)` by state; `core.applications.sanity.work.states` says what the states are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import zoom

from core.models.randomised import CASCADE, TEXT
from core.statistics import spearman

Maps = Mapping[str, NDArray[Any]]
Value = tuple[str, str, float]
# A map whose values differ by less than this part of the largest is constant: the rest is rounding.
ROUNDING = 1e-6
# An image is shifted by this part of its width, and maps are compared on a grid so much finer than their own.
SHIFT = 1 / 16
FINER = 16
_ARTICLE = re.compile(r"\b(?:a|an|the)\s+", re.IGNORECASE)


def paraphrases(text: str) -> dict[str, str]:
    """The text reworded without changing what it means, by the name of the change; none equals the text."""
    plain = text.strip()
    told = re.match(r"a photo of\s+", plain, re.IGNORECASE)
    found = {
        "photo": f"a picture of {plain[told.end() :]}" if told else f"a photo of {plain}",
        "stop": plain[:-1] if plain.endswith(".") else f"{plain}.",
        "case": plain.upper(),
        "article": _ARTICLE.sub("", plain, count=1),
    }
    return {name: words for name, words in found.items() if words.strip() and words != text}


def likeness(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Spearman's rank correlation of two maps of one shape, from -1 to 1.

    Two constant maps are the same map: 1. A constant map and one that isn't have nothing in common: 0.
    """
    flat_a, flat_b = constant(a), constant(b)
    if flat_a or flat_b:
        return 1.0 if flat_a and flat_b else 0.0
    value = spearman(a, b)
    return 0.0 if value is None else value


def cosine(a: NDArray[Any], b: NDArray[Any]) -> float | None:
    """The absolute cosine of two maps; None if one of them is 0 everywhere."""
    x, y = np.ravel(a).astype(float), np.ravel(b).astype(float)
    size = np.linalg.norm(x) * np.linalg.norm(y)
    return float(abs(x @ y) / size) if size > 0 else None


def constant(values: NDArray[Any]) -> bool:
    """Whether a map shows nothing."""
    return bool(np.ptp(values) <= ROUNDING * np.abs(values).max())


def overlapping(still: NDArray[Any], moved: NDArray[Any], share: float) -> tuple[NDArray[Any], NDArray[Any]]:
    """What both maps show, if the second is of the image moved to the right by `share` of its width.

    Both are enlarged by linear interpolation, cut to the part that is in view twice, and averaged to cells again.
    """
    rows, columns = still.shape
    large = [
        zoom(np.asarray(values, float), FINER, order=1, mode="nearest", grid_mode=True) for values in (still, moved)
    ]
    step = round(share * columns * FINER)
    width = (columns * FINER - step) // FINER * FINER
    cut = (large[0][:, :width], large[1][:, step : step + width])
    first, second = (part.reshape(rows, FINER, width // FINER, FINER).mean(axis=(1, 3)) for part in cut)
    return first, second


def values(maps: Maps, roles: Sequence[tuple[str, str]], scores: NDArray[Any], shift: float = SHIFT) -> Iterator[Value]:
    """The checks of one method and image as (check, variant, value); states that are absent are left out.

    `roles` says for each text of the states "texts" and "more_texts", in a row, which check and variant it serves; the
    first is the own text. `scores` are the cosines of these texts. `shift` is the share of the width by which state
    "shift" is moved.
    """
    texts = np.concatenate([maps[state] for state in ("texts", "more_texts") if state in maps])
    own = texts[0]
    for state in (*CASCADE, TEXT):
        if state in maps:
            yield from _compared("model", state, own, maps[state][0])
    for place in range(1, len(texts)):
        check, variant = roles[place]
        if check == "text":
            yield from _compared(check, variant, own, texts[place])
        else:
            yield check, variant, likeness(own, texts[place])
        if check == "paraphrase":
            yield "paraphrase_score", variant, float(scores[place] - scores[0])
    seeds = [own, *(maps[state][0] for state in maps if state.startswith("seed"))]
    if len(seeds) > 1:
        yield "seed", "", float(np.mean([likeness(a, b) for a, b in combinations(seeds, 2)]))
    if "flip" in maps:
        yield "flip", "", likeness(own, maps["flip"][0][:, ::-1])
    if "shift" in maps:
        yield "shift", "", likeness(*overlapping(own, maps["shift"][0], shift))
    if "noise" in maps and not constant(own):
        yield "noise", "", float(maps["noise"][0].std() / own.std())
    size = float(np.linalg.norm(own))
    disturbed = [maps[state][0] for state in maps if state.startswith("disturbed")]
    if disturbed and size > 0:
        yield "sensitivity", "", max(float(np.linalg.norm(other - own)) / size for other in disturbed)


def _compared(check: str, variant: str, own: NDArray[Any], other: NDArray[Any]) -> Iterator[Value]:
    yield check, variant, likeness(own, other)
    alike = cosine(own, other)
    if alike is not None:
        yield f"{check}_cosine", variant, alike
