"""How far methods agree about one image and text: rank correlation and overlap of the best cells. No torch."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.statistics import Interval, rank_correlation

if TYPE_CHECKING:
    import pandas as pd
else:
    from core.deferred import pandas as pd

COMMON_SIDE = 14
TOP_SHARE = 0.2


def common_grid(values: NDArray[Any], side: int | tuple[int, int] = COMMON_SIDE) -> NDArray[np.float64]:
    """The map averaged or enlarged (area-weighted) to `side` x `side`, so that methods of different grids compare.

    `values` is a map (rows, columns), or maps of one shape (k, rows, columns). `side` may be (rows, columns).
    """
    rows, columns = values.shape[-2:]
    down, across = (side, side) if isinstance(side, int) else side
    summed = _overlap(rows, down) @ np.asarray(values, dtype=np.float64) @ _overlap(columns, across).T
    return summed / (rows * columns)


def stored_grid(values: Any, rows: float, columns: float) -> NDArray[np.float64]:
    """A map as a result row keeps it (flat, with its shape) on the common grid."""
    return common_grid(np.asarray(values, dtype=float).reshape(int(rows), int(columns)))


def stored_grids(maps: NDArray[Any], shapes: NDArray[np.intp]) -> NDArray[np.float64]:
    """Flat maps `(k,)` of `shapes` `(k, 2)` on the common grid, `(k, side, side)`: `stored_grid` of each."""
    found = np.empty((len(maps), COMMON_SIDE, COMMON_SIDE))
    for rows, columns in np.unique(shapes, axis=0).tolist():
        of = np.flatnonzero((shapes[:, 0] == rows) & (shapes[:, 1] == columns))
        values = np.stack(list(maps[of])).astype(np.float64).reshape(len(of), rows, columns)
        found[of] = common_grid(values)
    return found


def top_overlap(a: NDArray[Any], b: NDArray[Any], share: float = TOP_SHARE) -> float | None:
    """Intersection over union of the best `share` of cells of two maps; None if either is constant."""
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    k = max(1, round(share * a.size))
    best_a = set(np.argsort(-np.ravel(a), kind="stable")[:k].tolist())
    best_b = set(np.argsort(-np.ravel(b), kind="stable")[:k].tolist())
    return len(best_a & best_b) / len(best_a | best_b)


def unrelated(
    a: NDArray[np.float64], b: NDArray[np.float64], *, draws: int = 500, seed: int = 0
) -> tuple[float, float] | None:
    """What two methods' maps of *different* images correlate by: the mean, and the 95 % quantile of a mean like ours.

    `a` and `b` are `core.statistics.rank_vector`s `(images, cells)` in one order of the images, or the mean of those of
    an image's texts. The mean is over all pairs of two different images; the quantile is over `draws` random ways to
    give each image's map of the one method another image's of the other. None for fewer than three images.
    """
    count = len(a)
    if count < 3:
        return None
    found = a @ b.T
    mean = (found.sum() - np.trace(found)) / (count * (count - 1))
    drawn = found.ravel()[_rings(count, draws, seed)].mean(axis=1)
    return float(mean), float(np.quantile(drawn, 0.95))


@lru_cache(maxsize=2)
def _rings(count: int, draws: int, seed: int) -> NDArray[np.intp]:
    # Neighbours on a random ring are never the same image. The rings are the same for every pair of methods.
    ring = np.random.default_rng(seed).permuted(np.tile(np.arange(count), (draws, 1)), axis=1)
    return np.asarray(ring * count + np.roll(ring, 1, axis=1), dtype=np.intp)


def most_correlation(first: float, second: float) -> float:
    """The most that the maps of two methods can correlate in expectation, given each method's reliability (0 to 1).

    The square root of the product (Spearman, 1904): noise that one map has and the other has not attenuates both.
    """
    return float(np.sqrt(first * second))


def consensus(maps: list[NDArray[Any]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mean of the maps' ranks (scaled to 0..1) and the standard deviation of the ranks, on the common grid."""
    grids = np.stack([common_grid(values) for values in maps])
    # By pandas, which a page has loaded already; ties share their mean rank in both.
    ranks = pd.DataFrame(grids.reshape(len(grids), -1)).rank(axis=1).to_numpy()
    stack = ((ranks - 1) / max(ranks.shape[1] - 1, 1)).reshape(grids.shape)
    return stack.mean(axis=0), stack.std(axis=0)


@lru_cache(maxsize=256)
def _overlap(cells: int, side: int) -> NDArray[np.float64]:
    # Row i gives how much of new cell i each old cell covers, in parts of which a new cell has `cells`. Whole numbers
    # sum without rounding, so that equal cells of a float32 map stay equal: their ranks must tie.
    new, old = np.arange(side)[:, None], np.arange(cells)[None, :]
    start, stop = np.maximum(new * cells, old * side), np.minimum((new + 1) * cells, (old + 1) * side)
    return np.maximum(stop - start, 0).astype(np.float64)


def order_agreement(rows: pd.DataFrame, column: str) -> tuple[Interval, int]:
    """The rank correlation over methods of mean `faithfulness` and mean `column`, and the number of images behind it.

    `rows` has `image`, `method` and both columns. Only images on which every method has both count. The interval is
    over methods: no resampling of images keeps its coverage, because noise in the means hides their order.
    """
    means = rows.groupby(["image", "method"])[["faithfulness", column]].mean()
    first, second = (means[name].unstack("method") for name in ("faithfulness", column))
    whole = (first.notna() & second.notna()).all(axis=1)
    a, b = first[whole].to_numpy(float), second[whole].to_numpy(float)
    if not len(a):
        return Interval(None, None, None, 0, "methods"), 0
    return rank_correlation(a.mean(axis=0), b.mean(axis=0), counted="methods"), len(a)
