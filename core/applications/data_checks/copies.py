"""Near-duplicates: images that show the same pixels, resized, recompressed or slightly cropped. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.deferred import Deferred

# It brings much of SciPy, which the rules on what was found here do without.
match_template = Deferred("skimage.feature", "match_template")

# A copy may lack up to a fifth of each side.
SCALES = np.arange(1.0, 0.799, -0.02)
# Correlation of two reduced images from which a pair is aligned, and that of the aligned pair from which it is a copy.
# Of all pairs of 724 natural photographs the most alike reach 0.84 when they are aligned.
LEAST_ALIKE, LEAST_ALIGNED = 0.55, 0.9
COARSE, FINE = 24, 96
# Pairs that are aligned for each image on average, the most alike first: a bound on the time of large datasets.
MOST_PAIRS = 10
# A copy is among this share of the images nearest to its original by the model's embedding, or the other way round.
NEAREST = 0.1
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Pair:
    """Two positions of images that show the same, and the correlation of their aligned pixels."""

    first: int
    second: int
    correlation: float


def coarse(image: Image.Image) -> NDArray[Any]:
    """The luminance of an image on a square grid `(COARSE * COARSE,)`, of mean 0 and length 1; zeros if it is even."""
    grid = np.asarray(image.convert("L").resize((COARSE, COARSE), Image.Resampling.BOX), dtype=np.float64).ravel()
    grid -= grid.mean()
    length = float(np.linalg.norm(grid))
    return grid / length if length > COARSE else np.zeros_like(grid)


def copies(
    grids: Floats, fine: Sequence[NDArray[Any]], embeddings: Floats, near: Iterable[tuple[int, int]] = ()
) -> list[Pair]:
    """The pairs of images that are copies, from `coarse` grids, images reduced to `FINE` pixels, and embeddings.

    `near` are pairs whose perceptual hashes are close; they are aligned in any case.
    """
    likeness = np.triu(grids @ grids.T, 1)
    cosines = embeddings @ embeddings.T
    near_enough = cosines >= np.quantile(cosines, 1 - NEAREST, axis=1)[:, None]
    rows, columns = np.nonzero((likeness >= LEAST_ALIKE) & (near_enough | near_enough.T))
    order = np.argsort(-likeness[rows, columns], kind="stable")[: MOST_PAIRS * len(grids)]
    candidates = dict.fromkeys([*((min(pair), max(pair)) for pair in near), *zip(rows[order], columns[order])])  # noqa: B905
    pairs = []
    for first, second in candidates:
        value = aligned(fine[first], fine[second])
        if value >= LEAST_ALIGNED:
            pairs.append(Pair(int(first), int(second), value))
    return sorted(pairs, key=lambda pair: (pair.first, pair.second))


def aligned(a: NDArray[Any], b: NDArray[Any]) -> float:
    """The highest correlation of one image with a part of the other, over parts of 80 to 100 % of its sides."""
    return max(_inside(a, b), _inside(b, a))


def _inside(whole: NDArray[Any], part: NDArray[Any]) -> float:
    """The highest correlation of `part`, at each scale, with a window of `whole`; 0 where it is even or too large."""
    rows, columns = whole.shape
    best, inner = 0.0, Image.fromarray(part)
    for scale in SCALES:
        # The part keeps its proportions and covers `scale` of the side that it fills more.
        ratio = float(scale) * min(rows / part.shape[0], columns / part.shape[1])
        height, width = round(part.shape[0] * ratio), round(part.shape[1] * ratio)
        if height > rows or width > columns or height < 0.78 * rows or width < 0.78 * columns:
            continue
        template = np.asarray(inner.resize((width, height), Image.Resampling.BILINEAR))
        if template.std() < 1e-3:
            return 0.0
        best = max(best, float(match_template(whole, template).max()))
        if best >= 0.99:
            break
    return best


def joined(pairs: Iterable[tuple[int, int]], least: int = 2) -> list[list[int]]:
    """The groups that pairs connect, of at least `least` positions each, in order."""
    root: dict[int, int] = {}

    def top(at: int) -> int:
        while root.setdefault(at, at) != at:
            at = root[at]
        return at

    for a, b in pairs:
        first, second = sorted((top(a), top(b)))
        root[second] = first
    groups: dict[int, list[int]] = {}
    for at in sorted(root):
        groups.setdefault(top(at), []).append(at)
    return [group for _, group in sorted(groups.items()) if len(group) >= least]
