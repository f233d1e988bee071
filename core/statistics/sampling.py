"""Stratified random samples: the order of drawing, the design of its first n units, and means with their error.

Units are drawn within strata without replacement. The order is nested: its first n units are a stratified sample for
every n, so that a sample can grow and the larger one contains the smaller one.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.deferred import Deferred
from core.statistics.intervals import LEVEL, UNBOUNDED, Interval, Range

student = Deferred("scipy.stats", "t")

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Design:
    """How the first units of an order were drawn.

    `strata` (units of the population,) numbers the stratum of each unit, `drawn` lists positions of the population in
    the order of drawing.
    """

    strata: NDArray[np.int64]
    drawn: NDArray[np.int64]
    seed: int

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """The number of units of the population in each stratum."""
        return np.bincount(self.strata).astype(np.int64)

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """The number of units drawn from each stratum."""
        return np.bincount(self.strata[self.drawn], minlength=len(self.sizes)).astype(np.int64)

    @property
    def complete(self) -> bool:
        """Whether every unit of the population was drawn."""
        return len(self.drawn) == len(self.strata)

    @cached_property
    def inclusion(self) -> Floats:
        """The probability with which each drawn unit is in a sample of this design, in the order of `drawn`."""
        return np.asarray((self.counts / self.sizes)[self.strata[self.drawn]], dtype=np.float64)

    @cached_property
    def weights(self) -> Floats:
        """The inverse of `inclusion`, scaled to a mean of 1: what each drawn unit counts in a mean over all strata."""
        inverse = 1.0 / self.inclusion
        return np.asarray(inverse / inverse.mean(), dtype=np.float64)

    def first(self, count: int) -> Design:
        """The design of the first `count` units of the order."""
        return Design(self.strata, self.drawn[:count], self.seed)


def allocation(sizes: Sequence[int], count: int) -> NDArray[np.int64]:
    """How many of `count` units each stratum gets: one each where that suffices, then in proportion to `sizes`.

    Webster's divisor method, so that a stratum never loses a unit when `count` grows. With fewer units than strata the
    largest strata get one each.
    """
    size = np.asarray(sizes, dtype=np.int64)
    taken = np.zeros_like(size)
    for _ in range(min(count, int(size.sum()))):
        taken[_next(size, taken)] += 1
    return taken


def _next(size: NDArray[np.int64], taken: NDArray[np.int64]) -> int:
    """The stratum that the next unit is drawn from."""
    left = taken < size
    if (left & (taken == 0)).any():
        return int(np.where(left & (taken == 0), size, -1).argmax())
    return int(np.where(left, size / (2 * taken + 1), -1.0).argmax())


def stratified_design(keys: Sequence[Hashable], seed: int) -> Design:
    """The whole population in the order of drawing; `keys` names the stratum of each unit.

    Within a stratum the order is random; which stratum comes next follows `allocation`, so that the first n units hold
    as many of each stratum as it gives. The order depends on `seed` and on the units' positions alone.
    """
    number: dict[Hashable, int] = {}
    strata = np.array([number.setdefault(key, len(number)) for key in keys], dtype=np.int64)
    random = np.random.default_rng(seed)
    # Larger strata first; those of one size in a random order, so that no name decides.
    shuffled = random.permutation(len(number))
    sizes = np.bincount(strata, minlength=len(number))
    rank = np.empty(len(number), dtype=np.int64)
    rank[sorted(shuffled, key=lambda at: -int(sizes[at]))] = np.arange(len(number))
    strata = rank[strata] if len(number) else strata
    queues = [random.permutation(np.flatnonzero(strata == at)).tolist() for at in range(len(number))]
    size, taken = np.bincount(strata, minlength=len(number)), np.zeros(len(number), dtype=np.int64)
    drawn = []
    for _ in range(len(keys)):
        at = _next(size, taken)
        drawn.append(queues[at][taken[at]])
        taken[at] += 1
    return Design(strata, np.array(drawn, dtype=np.int64), seed)


def random_positions(population: int, most: int, seed: int) -> list[int]:
    """At most `most` positions of a population, drawn at random without replacement, in ascending order."""
    if population <= most:
        return list(range(population))
    return sorted(np.random.default_rng(seed).permutation(population)[:most].tolist())


def stratified_mean(
    values: NDArray[Any], design: Design, *, counted: str = "images", within: Range = UNBOUNDED
) -> Interval:
    """The mean of the whole population from one value per drawn unit, in the order of drawing, with its interval.

    Strata are weighted by their size; the variance has the finite population correction of each stratum (Cochran,
    1977, section 5.4), so that a complete sample has an interval of no width: the statement is about this population,
    not about units like these. Strata with a single drawn unit share the variance within all others; the degrees of
    freedom are Satterthwaite's. No interval where no stratum has two drawn units and the sample is not complete.
    """
    x = np.asarray(values, dtype=np.float64)
    stratum = design.strata[design.drawn]
    share = design.sizes / design.sizes.sum()
    if not len(x) or (design.counts == 0).any():
        return Interval(float(x.mean()) if len(x) else None, None, None, len(x), counted)
    means = np.bincount(stratum, weights=x, minlength=len(share)) / design.counts
    value = float(share @ means)
    squares = np.bincount(stratum, weights=(x - means[stratum]) ** 2, minlength=len(share))
    freedom = design.counts - 1
    several = freedom > 0
    left = 1.0 - design.counts / design.sizes
    if not several.any() and left.any():
        return Interval(value, None, None, len(x), counted)
    pooled = squares.sum() / max(int(freedom.sum()), 1)
    variance = np.where(several, squares / np.maximum(freedom, 1), pooled)
    parts = share**2 * left * variance / design.counts
    total = float(parts.sum())
    known = np.where(several, parts, 0.0)
    degrees = total**2 / float((known**2 / np.maximum(freedom, 1)).sum()) if known.any() else float(freedom.sum())
    # What lone units borrow is as uncertain as the pool it comes from.
    degrees = max(1.0, min(degrees, float(max(int(freedom.sum()), 1))))
    half = float(student.ppf((1 + LEVEL) / 2, degrees)) * float(np.sqrt(total))
    return Interval(value, max(float(within[0]), value - half), min(float(within[1]), value + half), len(x), counted)
