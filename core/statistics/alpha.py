"""Krippendorff's alpha: how far any number of raters agree beyond chance, where not everyone rated everything."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.statistics.intervals import CORRELATION, Interval, jackknife


def krippendorff_alpha(ratings: Sequence[Sequence[str | None]], units: Sequence[str] | None = None) -> Interval:
    """Krippendorff's alpha (2004) for names, from -1 to 1, of `ratings` (items, raters), None where none was given.

    The interval is the jackknife's over `units`, the unit of each item (each its own by default): items of one unit are
    left out together. n counts the units with an item that two raters rated. No value where nobody rated what another
    one did, or where only one mark occurs: then agreement by chance would be complete as well.
    """
    marks = sorted({mark for row in ratings for mark in row if mark is not None})
    known = [(row, unit) for row, unit in zip(ratings, units or _own(ratings), strict=True) if _paired(row)]
    if not known:
        return Interval(None, None, None, 0)
    counts = np.array([[row.count(mark) for mark in marks] for row in ([*row] for row, _ in known)], dtype=np.float64)
    names = sorted({unit for _, unit in known})
    of_unit = [np.flatnonzero([unit == name for _, unit in known]) for name in names]

    def statistic(chosen: NDArray[np.intp]) -> float | None:
        return _alpha(counts[np.concatenate([of_unit[at] for at in chosen])])

    return jackknife(statistic, len(names), within=CORRELATION)


def _alpha(counts: NDArray[np.float64]) -> float | None:
    """Alpha of the number of each mark by item `(items, marks)`, each item with at least two."""
    each = counts.sum(axis=1)
    total, by_mark = each.sum(), counts.sum(axis=0)
    expected = total**2 - (by_mark**2).sum()
    if expected <= 0:
        return None
    observed = ((each**2 - (counts**2).sum(axis=1)) / (each - 1)).sum()
    return float(1 - (total - 1) * observed / expected)


def _paired(row: Sequence[str | None]) -> bool:
    return sum(mark is not None for mark in row) > 1


def _own(ratings: Sequence[Sequence[str | None]]) -> list[str]:
    return [str(at) for at in range(len(ratings))]
