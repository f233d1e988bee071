"""Association of groups of images with a list of words, as one family of permutation tests. No torch.

The effect size is that of the Word-Embedding Association Test (Caliskan, Bryson and Narayanan, 2017) with images in the
place of the target words: the difference of two means in units of the standard deviation of all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.applications.columns import Group, metadata_groups
from core.applications.subgroups.comparisons import planned_images
from core.applications.subgroups.record import GroupsRecord
from core.rules import Context
from core.statistics import jackknife
from core.statistics.families import Family

ASSOCIATIONS = Family("groups.association", "permutation test", "pairs of group and entry of the word list")
EVERY_WORD = "all words"  # messages
# With so many draws the smallest p is 0.0001, and that of a p of 0.01 is known to 0.001.
DRAWS, BATCH = 10_000, 500
ROUNDING = 1e-12


@dataclass(frozen=True)
class Association:
    """How far the images of a group are associated with an entry of the word list, beyond the other images.

    entry: a word, or all words together. size: the difference of the means over the standard deviation of all values,
        with the jackknife's 95 % interval over images, None below the smallest n.
    n, others: images of the group and other images. p, p_adjusted: that membership does not matter, two-sided, over
        permutations of it, and adjusted over all pairs of group and entry (Holm).
    """

    group: Group
    entry: str
    size: float
    low: float | None
    high: float | None
    n: int
    others: int
    p: float
    p_adjusted: float = 1.0


def associations(context: Context) -> tuple[Association, ...]:
    """Every group of the run by every entry, the farthest from 0 first; none where the audit has no word list."""
    return context.once(_associations)


def associated(
    groups: Sequence[Group], values: Mapping[str, Mapping[str, float]], least: int, seed: int
) -> tuple[Association, ...]:
    """Each group of at least `least` images, with as many others, by the values of each entry, by entry and image."""
    made: list[tuple[Group, str, tuple[float, float | None, float | None], int, int, float]] = []
    for group in groups:
        own = [image for image in group.members if all(image in each for each in values.values())]
        others = [image for image in group.others if all(image in each for each in values.values())]
        if not values or min(len(own), len(others)) < least:
            continue
        table = np.array([[each[image] for each in values.values()] for image in (*own, *others)], dtype=np.float64)
        inside = np.arange(len(table)) < len(own)
        p = permuted(table, inside, seed)
        for at, entry in enumerate(values):
            value = standardised(table[:, at], inside)
            if value is not None:
                found = _interval(table[:, at], inside)
                made.append((group, entry, (value, *found), len(own), len(others), float(p[at])))
    adjusted = ASSOCIATIONS.adjusted(pd.DataFrame({"p": [row[-1] for row in made]}, dtype=float))
    rows = [
        Association(group, entry, *size, n, others, p, float(after))
        for (group, entry, size, n, others, p), after in zip(made, adjusted, strict=True)
    ]
    return tuple(sorted(rows, key=lambda row: -abs(row.size)))


def standardised(values: NDArray[np.float64], inside: NDArray[np.bool_]) -> float | None:
    """The mean of `values` (n,) inside less that outside, over the standard deviation of all; None for equal values."""
    spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    if spread <= ROUNDING or inside.all() or not inside.any():
        return None
    return float((values[inside].mean() - values[~inside].mean()) / spread)


def permuted(table: NDArray[np.float64], inside: NDArray[np.bool_], seed: int) -> NDArray[np.float64]:
    """Two-sided p of each column of `table` (n, columns): how often a random group of the same size has a mean as far
    from that of the rest. Every draw serves all columns.
    """
    n, size = len(table), int(inside.sum())
    centred = table - table.mean(axis=0)
    # The mean inside and that outside have a fixed sum, so that the sum inside decides.
    observed = np.abs(centred[inside].sum(axis=0))
    tolerance = ROUNDING * np.abs(centred).sum(axis=0)
    random = np.random.default_rng([seed, n, size])
    hits = np.zeros(table.shape[1])
    for _ in range(DRAWS // BATCH):
        order = random.random((BATCH, n)).argpartition(size - 1, axis=1)[:, :size]
        member = np.zeros((BATCH, n))
        np.put_along_axis(member, order, 1.0, axis=1)
        hits += (np.abs(member @ centred) >= observed - tolerance).sum(axis=0)
    return np.asarray((1 + hits) / (1 + DRAWS), dtype=np.float64)


def _interval(values: NDArray[np.float64], inside: NDArray[np.bool_]) -> tuple[float | None, float | None]:
    found = jackknife(lambda chosen: standardised(values[chosen], inside[chosen]), len(values))
    return found.low, found.high


def _associations(context: Context) -> tuple[Association, ...]:
    record = context.record(GroupsRecord.of_run)
    if record is None or record.associations.empty or not len(record.words):
        return ()
    values = {EVERY_WORD: _by_image(record.associations)}
    # A single word is the list itself.
    if record.words["word"].nunique() > 1:
        values |= {str(word): _by_image(part) for word, part in record.words.groupby("word", sort=False)}
    least = int(context.thresholds["groups.least_group"])
    return associated(metadata_groups(planned_images(context), least), values, least, context.run.plan.seed)


def _by_image(frame: pd.DataFrame) -> dict[str, float]:
    return dict(zip(frame["image"], frame["value"].astype(float), strict=True))
