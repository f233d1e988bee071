"""Where ConVis cuts its crops, and how much each place of the image hears of each crop. No torch.

Lengths are in cells: the image is `cells` x `cells`, with a margin of 4/7 of its side around it. Boxes of 4/7 and
2/7 of the side stand at every cell of that canvas. Only those that touch the image can reach the map, and every cell
is covered by the same number of boxes, so a map on the cells is exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Weighting = Literal["sum", "mean"]
Preset = Literal["exact", "fast"]


@dataclass(frozen=True)
class Lattice:
    """An image of `cells` x `cells`; 14 is exact for the published strides (16 of 224 pixels), 7 has half of them."""

    cells: int = 14

    @property
    def margin(self) -> int:
        """Cells of empty canvas on each side of the image."""
        return self.cells * 4 // 7

    @property
    def sides(self) -> tuple[int, int]:
        """The sides of the two kinds of boxes, the larger first."""
        return self.cells * 4 // 7, self.cells * 2 // 7

    @cached_property
    def boxes(self) -> NDArray[np.intp]:
        """Boxes that touch the image `(crops, 3)`: top, left (from the image's corner) and side."""
        rows = [
            (top, left, side)
            for side in self.sides
            for top in range(1 - side, self.cells)
            for left in range(1 - side, self.cells)
        ]
        return np.array(rows, dtype=np.intp)

    def __len__(self) -> int:
        return len(self.boxes)

    def weights(self, weighting: Weighting = "sum") -> NDArray[np.float64]:
        """The share of each crop in each cell `(cells * cells, crops)`; rows sum to 1.

        sum: every covering box counts the same, so that large ones, four times as many, weigh four times as much (the
        release); mean: both sizes weigh the same. In float64, so that equal crops give a map without any difference.
        """
        at = np.arange(self.cells)
        tops, lefts, sides = self.boxes.T
        down = (at[:, None] >= tops) & (at[:, None] < tops + sides)
        across = (at[:, None] >= lefts) & (at[:, None] < lefts + sides)
        covers = (down[:, None] & across[None, :]).reshape(self.cells * self.cells, -1).astype(np.float64)
        if weighting == "mean":
            covers /= (sides * sides).astype(np.float64)
        return covers / covers.sum(axis=1, keepdims=True)


PRESETS: dict[str, Lattice] = {"exact": Lattice(14), "fast": Lattice(7)}
