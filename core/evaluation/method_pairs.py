"""How far each two methods agree over all images of a run: every map is ranked once, and ranks multiply as matrices.

No torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.evaluation.agreement import TOP_SHARE, stored_grids, unrelated
from core.evaluation.tables import AgreementRow, IncomparableRow, PairRow
from core.runs.rows import columns_of
from core.statistics import intervals_of_groups
from core.statistics.intervals import CORRELATION
from core.statistics.ranks import centred_ranks
from core.statistics.sampling import random_positions

if TYPE_CHECKING:
    import pandas as pd
else:
    from core.deferred import pandas as pd

Floats = NDArray[np.float64]

# Images behind what the maps of different images correlate by.
MOST_UNRELATED = 256
# How many maps are ranked together: enough for matrices, few enough for a processor's cache.
MAPS_AT_ONCE = 2048
AGREEMENT, PAIR_AGREEMENT = columns_of(AgreementRow), columns_of(PairRow)
INCOMPARABLE = columns_of(IncomparableRow)
APART, CONSTANT = "apart", "constant"
REASONS = {
    APART: "no image and text has maps of both methods",
    CONSTANT: "wherever both methods have a map, one of the two is constant and has no order",
}  # messages


@dataclass(frozen=True)
class _Pairs:
    """`rho` and `overlap` `(images and texts, pairs of methods)`, NaN where a map is missing or constant.

    `methods` counts the maps of each image and text. `vectors[method][image]` is the mean of the rank vectors of the
    image's maps that have an order, over its texts; of the images, the first are enough for every pair of methods.
    """

    rho: Floats
    overlap: Floats
    methods: NDArray[np.int64]
    vectors: list[dict[int, Floats]]


class Agreement(NamedTuple):
    """The agreement of methods in four tables.

    methods: of `AgreementRow`, each two methods over images. pairs: of `PairRow`, all methods about each image and
    text. images: a row per image and a column per pair of methods `(a, b)`, the mean rank correlation over the texts of
    the image, NaN where there is none; `methods` has the means of its columns. incomparable: of `IncomparableRow`,
    each two methods that are not in `methods`.
    """

    methods: pd.DataFrame
    pairs: pd.DataFrame
    images: pd.DataFrame
    incomparable: pd.DataFrame


def method_agreement(explained: pd.DataFrame, seed: int) -> Agreement:
    """How far methods agree, by the rank correlation of their maps.

    `explained` has the rows of methods that gave a result. `chance` is the mean correlation of the two methods' maps
    of different images, over all their texts, `chance_high` the 95 % quantile of the mean over as many pairs as there
    are images; a pair that is not above it shares a habit, not an image.
    """
    rows = explained[explained["map"].notna()]
    keys = ["image", "image_name", "text", "text_kind"]
    number = rows.groupby(keys, sort=True, dropna=False).ngroup().to_numpy()
    method, names = pd.factorize(rows["method"], sort=True)
    order = pd.Series(number * max(len(names), 1) + method).drop_duplicates(keep="last").sort_values().index.to_numpy()
    rows, number, method = rows.iloc[order], number[order], method[order]
    about = rows.iloc[np.flatnonzero(np.diff(number, prepend=-1))]
    image, _ = pd.factorize(about["image"], sort=True)
    a, b = np.triu_indices(len(names), k=1)
    if not len(a):
        empty = (pd.DataFrame(columns=columns) for columns in (AGREEMENT, PAIR_AGREEMENT, None, INCOMPARABLE))
        return Agreement(*empty)
    pairs = _correlated(rows, number, method, image, len(names))
    methods, images = _by_methods(pairs, image, names, (a, b), seed)
    has = pd.crosstab(number, method).to_numpy() > 0
    return Agreement(methods, _by_pairs(pairs, about), images, _incomparable(pairs, has, names, (a, b)))


def _incomparable(
    pairs: _Pairs, has: NDArray[np.bool_], names: pd.Index, of: tuple[NDArray[np.intp], NDArray[np.intp]]
) -> pd.DataFrame:
    """The pairs of methods without any correlation; `has` (images and texts, methods) is where a method has a map."""
    rows = []
    for at in np.flatnonzero(np.isnan(pairs.rho).all(axis=0)).tolist():
        a, b = int(of[0][at]), int(of[1][at])
        rows.append((names[a], names[b], CONSTANT if (has[:, a] & has[:, b]).any() else APART))
    return pd.DataFrame(rows, columns=INCOMPARABLE)


def _by_pairs(pairs: _Pairs, about: pd.DataFrame) -> pd.DataFrame:
    frame = about[["image", "image_name", "text"]].assign(value=_known_means(pairs.rho), methods=pairs.methods)
    return frame[frame["value"].notna()].reset_index(drop=True)[PAIR_AGREEMENT]


def _by_methods(
    pairs: _Pairs, image: NDArray[np.intp], names: pd.Index, of: tuple[NDArray[np.intp], NDArray[np.intp]], seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    a, b = of
    known = ~np.isnan(pairs.rho)
    # A pair of methods stands where it first has a value.
    places = np.flatnonzero(known.any(axis=0))
    places = places[np.argsort(known.argmax(axis=0)[places], kind="stable")]
    # pandas sums with a correction for rounding: means do not depend on how many images are summed together.
    means = pd.DataFrame(pairs.rho).groupby(image).mean().to_numpy()[:, places]
    first, second = names.to_numpy()[a[places]], names.to_numpy()[b[places]]
    images = pd.DataFrame(means, columns=pd.MultiIndex.from_arrays([first, second], names=["a", "b"]))
    got = intervals_of_groups(means.T.ravel(), np.repeat(np.arange(len(places)), len(means)), within=CORRELATION)
    chance = [_chance(pairs.vectors[a[at]], pairs.vectors[b[at]], seed) for at in places]
    frame = pd.DataFrame(
        {
            "a": first,
            "b": second,
            **{name: got[name].to_numpy() for name in ("value", "low", "high", "n")},
            "overlap": _known_means(pairs.overlap.T)[places],
            "chance": [mean for mean, _ in chance],
            "chance_high": [high for _, high in chance],
        },
        columns=AGREEMENT,
    )
    return frame, images


def _chance(a: dict[int, Floats], b: dict[int, Floats], seed: int) -> tuple[float | None, float | None]:
    every = sorted(set(a) & set(b))
    both = [every[at] for at in random_positions(len(every), MOST_UNRELATED, seed)]
    return unrelated(np.stack([a[at] for at in both]), np.stack([b[at] for at in both]), seed=seed) or (None, None)


def _correlated(
    rows: pd.DataFrame,
    number: NDArray[np.intp],
    method: NDArray[np.intp],
    image: NDArray[np.intp],
    methods: int,
) -> _Pairs:
    """The correlations of the maps of `rows`, sorted by `number` (image and text) and `method`; `image` is of each."""
    a, b = np.triu_indices(methods, k=1)
    rho, overlap = (np.full((len(image), len(a)), np.nan) for _ in range(2))
    vectors: list[dict[int, Floats]] = [{} for _ in range(methods)]
    known = np.zeros((methods, methods), dtype=np.int64)
    maps, shapes = rows["map"].to_numpy(), rows[["rows", "columns"]].to_numpy(np.intp)
    for start, stop in _spans(image[number]):
        ranks, with_order = centred_ranks(stored_grids(maps[start:stop], shapes[start:stop]).reshape(stop - start, -1))
        first, last = number[start], number[stop - 1] + 1
        ranked = np.zeros((last - first, methods, ranks.shape[1]))
        ranked[number[start:stop][with_order] - first, method[start:stop][with_order]] = ranks
        size = (ranked**2).sum(axis=-1)
        both = (size[:, a] > 0) & (size[:, b] > 0)
        with np.errstate(invalid="ignore"):
            # Ranks are multiples of a half: their products sum without rounding.
            found = (ranked @ ranked.transpose(0, 2, 1))[:, a, b] / np.sqrt(size[:, a] * size[:, b])
        rho[first:last] = np.where(both, found, np.nan)
        overlap[first:last] = np.where(both, _overlaps(ranked)[:, a, b], np.nan)
        _collect(vectors, known, ranked, size, image[first:last])
    return _Pairs(rho, overlap, np.bincount(number, minlength=len(image)), vectors)


def _spans(image: NDArray[np.intp]) -> Iterator[tuple[int, int]]:
    """Where to cut the rows, so that an image's rows stay together."""
    edges = np.flatnonzero(np.diff(image, prepend=-1, append=-1))
    start = 0
    for stop, further in zip(edges[1:].tolist(), [*edges[2:].tolist(), np.inf], strict=True):
        if further - start > MAPS_AT_ONCE:
            yield start, stop
            start = stop


def _overlaps(ranked: Floats) -> Floats:
    """Intersection over union of the best cells of each two of the maps `(images and texts, methods, cells)`."""
    cells = ranked.shape[-1]
    count = max(1, round(TOP_SHARE * cells))
    least = np.partition(ranked, cells - count, axis=-1)[..., cells - count, None]
    above, level = ranked > least, ranked == least
    # Of cells that are level the first ones count.
    free = count - above.sum(axis=-1, keepdims=True)
    best = (above | (level & (level.cumsum(axis=-1) <= free))).astype(np.float64)
    common = best @ best.transpose(0, 2, 1)
    return np.asarray(common / (2 * count - common), dtype=np.float64)


def _collect(
    vectors: list[dict[int, Floats]],
    known: NDArray[np.int64],
    ranked: Floats,
    size: Floats,
    image: NDArray[np.intp],
) -> None:
    """Add the maps of each image that have an order, where a pair of methods still lacks images; `known` counts them.

    The product of two means of rank vectors is the mean correlation of every text of the one image with every text of
    the other.
    """
    for at in np.unique(image).tolist():
        here = np.flatnonzero(image == at)
        has = size[here] > 0
        one = has.any(axis=0)
        together = np.outer(one, one)
        wanted = together & (known < MOST_UNRELATED)
        np.fill_diagonal(wanted, False)
        for method in np.flatnonzero(wanted.any(axis=0)).tolist():
            texts = here[has[:, method]]
            vectors[method][at] = (ranked[texts, method] / np.sqrt(size[texts, method])[:, None]).mean(axis=0)
        known += together


def _known_means(values: Floats) -> Floats:
    """The mean of each row of `values` (rows, k) without NaN; NaN where there is none."""
    known = ~np.isnan(values)
    counts = known.sum(axis=1)
    found = np.full(len(values), np.nan)
    for count in np.unique(counts[counts > 0]).tolist():
        of = counts == count
        found[of] = values[of][known[of]].reshape(-1, count).mean(axis=1)
    return found
