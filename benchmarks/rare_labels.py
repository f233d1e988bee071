"""Coverage of the intervals of mean average precision and of mean intersection over union where labels are rare.

    PYTHONPATH=. python benchmarks/rare_labels.py [--draws 400]

Scores are normal and higher by 1 or by 2.5 standard deviations where the label is true; 36 % of their variance is
shared by all labels of an image. Prints the tables of docs/statistics.md; seeded.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.applications.segmentation.record import mean_overlap
from core.statistics import jackknife, mean_bounds
from core.statistics.intervals import SHARE

Floats = NDArray[np.float64]
LABELS, IMAGES, TRUE, SHIFTS = (5, 20), (24, 60, 120, 400), (3, 6, 8, 12, 20, 40, 80), (1.0, 2.5)
# Spread of scores that is of one label, and that all labels of an image share.
OWN, SHARED = 0.8, 0.6
MANY = 400_000


def left_out(scores: Floats, true: NDArray[np.bool_]) -> tuple[float, Floats]:
    """The average precision of one label, and that without each image in turn."""
    at_least = scores[None, :] >= scores[true][:, None]
    count, hits = at_least.sum(axis=1), (at_least & true).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        each = (hits[:, None] - (at_least & true)) / (count[:, None] - at_least)
    places = np.flatnonzero(true)
    each[np.arange(len(places)), places] = 0.0
    return float((hits / count).mean()), each.sum(axis=0) / np.where(true, len(places) - 1, len(places))


def expected(share: float, shift: float, random: np.random.Generator) -> float:
    """The average precision over all images, where a label is true in this share of them."""
    true = random.random(MANY) < share
    ranked = true[np.argsort(-(random.normal(size=MANY) + shift * true))]
    return float((np.cumsum(ranked)[ranked] / (np.flatnonzero(ranked) + 1)).mean())


def precision_coverage(labels: int, images: int, count: int, shift: float, draws: int, random: Any) -> list[float]:
    """How often the interval about the value, and about the corrected value, holds the expected one, in percent."""
    truth, hits = expected(count / images, shift, random), [0, 0]
    for _ in range(draws):
        true = np.stack([random.permutation(np.arange(images) < count) for _ in range(labels)], axis=1)
        scores = OWN * random.normal(size=true.shape) + SHARED * random.normal(size=(images, 1)) + shift * true
        parts = [left_out(scores[:, label], true[:, label]) for label in range(labels)]
        value, without = float(np.mean([part for part, _ in parts])), np.mean([rest for _, rest in parts], axis=0)
        bias = (images - 1) * (without.mean() - value)
        for which, centre in enumerate((value, value - bias)):
            low, high = mean_bounds(centre + (images - 1) * (without.mean() - without))
            if which:
                low, high = min(low, value), max(high, value)
            hits[which] += max(low, 0.0) <= truth <= min(high, 1.0)
    return [100 * part / draws for part in hits]


def overlap_coverage(images: int, count: int, draws: int, random: Any, labels: int = 5) -> float:
    """The same of the mean intersection over union, where each label occurs in `count` images."""

    def made(number: int, width: int) -> tuple[Floats, Floats, Floats]:
        places = np.stack([random.permutation(np.arange(number) < count * number // images) for _ in range(width)], 1)
        true = np.where(places, random.lognormal(0, 0.8, places.shape), 0.0)
        found = true * random.beta(2, 2, places.shape)
        false = random.lognormal(-1, 1, places.shape) * (random.random(places.shape) < 0.5)
        return found, true + false, true

    whole = made(images * (MANY // images), 1)
    truth, hits = float(whole[0].sum() / whole[1].sum()), 0
    for _ in range(draws):
        tables = made(images, labels)
        got = jackknife(lambda at, tables=tables: mean_overlap(*(part[at] for part in tables)), images, within=SHARE)
        hits += got.low is not None and got.high is not None and got.low <= truth <= got.high
    return 100 * hits / draws


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=400)
    draws = parser.parse_args().draws
    print("| labels | images | shift | " + " | ".join(f"{count} true" for count in TRUE) + " |")
    print("|---" * (len(TRUE) + 3) + "|")
    for labels in LABELS:
        for images in IMAGES:
            for shift in SHIFTS:
                cells = [
                    " → ".join(
                        f"{part:.0f}"
                        for part in precision_coverage(labels, images, count, shift, draws, np.random.default_rng(0))
                    )
                    if count <= images / 2
                    else "–"
                    for count in TRUE
                ]
                print(f"| {labels} | {images} | {shift:g} | {' | '.join(cells)} |", flush=True)
    print("\n| images with a label | " + " | ".join(f"n = {images}" for images in (12, 24, 60)) + " |")
    print("|---|---|---|---|")
    for count in (1, 2, 3, 6, 12):
        cells = [f"{overlap_coverage(images, count, draws, np.random.default_rng(1)):.0f}" for images in (12, 24, 60)]
        print(f"| {count} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
