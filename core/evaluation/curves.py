"""Deletion and insertion on the cells of a common grid (Petsiuk et al., 2018), for many maps and texts of one image.

Cells are removed (or shown) in the order of the map. Orders that share a set of cells share its forward, and a forward
serves every text that asks for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.evaluation.agreement import common_grid
from core.evaluation.curve_shares import cell_counts, trapezia
from core.evaluation.gains import LEAST_RISE

SIDE = 14


@dataclass(frozen=True)
class Curves:
    """One map's curves.

    `deletion` and `insertion` are cosines `(steps + 1,)`, `shares` the share of the cells that is removed or shown at
    each of them, closer together at both ends. The areas are taken after rescaling cosines so that the fully
    hidden image is 0 and the full image 1; they are None where the image hardly raises the score.
    `faithfulness` is insertion minus deletion: about 0 for an order that means nothing.
    """

    deletion: NDArray[np.float32]
    insertion: NDArray[np.float32]
    shares: NDArray[np.float32]
    deletion_area: float | None
    insertion_area: float | None

    @property
    def faithfulness(self) -> float | None:
        """Insertion area minus deletion area."""
        if self.deletion_area is None or self.insertion_area is None:
            return None
        return self.insertion_area - self.deletion_area


class Pool(Protocol):
    """What gives embeddings of one image with some of its cells hidden, as `CoalitionPool` does."""

    @property
    def removal(self) -> str:
        """How cells are hidden."""

    @property
    def token_grid(self) -> tuple[int, int]:
        """Rows and columns of the tower's tokens."""

    def embeddings(self, kept: Tensor) -> Tensor:
        """Unit embeddings `(coalitions, embedding)` of the kept cells `(coalitions, rows, columns)`."""


def curves(
    pool: Pool,
    maps: Mapping[tuple[str, int], NDArray[np.floating]],
    texts: Tensor,
    *,
    steps: int = 16,
) -> dict[tuple[str, int], Curves]:
    """Curves of each map of the pool's image, by its removal operator.

    `maps` is keyed by (name, index of the text); `texts` are unit embeddings `(texts, embedding)`. Every map is
    compared on the same cells, so that coarse and fine methods face the same test: the model's own where tokens are
    dropped, otherwise 14 x 14. A constant map has no order and gets no curves.
    """
    grid = pool.token_grid if pool.removal == "drop" else (SIDE, SIDE)
    counts = cell_counts(grid[0] * grid[1], steps)
    shares = np.array(counts, dtype=np.float64) / counts[-1]
    plans = {key: _keep_sets(values, counts, grid) for key, values in maps.items() if np.ptp(values) > 0}
    sets: dict[bytes, int] = {}
    for keeps in plans.values():
        for keep in keeps:
            sets.setdefault(keep.tobytes(), len(sets))
    if not sets:
        return {}
    kept = torch.from_numpy(np.stack([np.frombuffer(key, dtype=bool) for key in sets])).reshape(-1, *grid)
    scores = (pool.embeddings(kept) @ texts.T).cpu().numpy()
    found = {}
    for (name, text), keeps in plans.items():
        values = np.array([scores[sets[keep.tobytes()], text] for keep in keeps], dtype=np.float32)
        deletion, insertion = values[: steps + 1], values[steps + 1 :]
        full, hidden = float(deletion[0]), float(deletion[-1])
        areas = (area(curve, shares, hidden, full) for curve in (deletion, insertion))
        found[name, text] = Curves(deletion, insertion, shares.astype(np.float32), *areas)
    return found


def area(curve: NDArray[np.floating], shares: NDArray[np.floating], hidden: float, full: float) -> float | None:
    """Area under a curve of cosines at these shares of the cells, rescaled so that `hidden` is 0 and `full` is 1.

    None where the full image's cosine is not at least `LEAST_RISE` above the hidden one's: then the image does not
    raise the score, and an order of its cells cannot be judged by it.
    """
    if full - hidden < LEAST_RISE:
        return None
    scaled = (np.asarray(curve, dtype=np.float64) - hidden) / (full - hidden)
    return trapezia(scaled, shares)


def _keep_sets(values: NDArray[np.floating], counts: list[int], cells_of: tuple[int, int]) -> list[NDArray[np.bool_]]:
    grid = common_grid(values, cells_of).ravel()
    cells = grid.size
    # Ties (many zeros, after a ReLU) fall in a fixed random order: reading order would favour the top of the image.
    order = np.lexsort((np.random.default_rng(0).permutation(cells), -grid))
    deletion, insertion = [], []
    for count in counts:
        top = np.zeros(cells, dtype=bool)
        top[order[:count]] = True
        insertion.append(top)
        deletion.append(~top)
    return deletion + insertion
