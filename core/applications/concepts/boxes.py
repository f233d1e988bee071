"""Boxes from maps, and how often they meet the boxes that people drew. No torch.

A map is brought to 0 to 1; the cells above a threshold form components that touch by their edges, and the box is that
of the largest. The hit rate at the best threshold is MaxBoxAcc.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from core.errors import InputError
from core.models.geometry import Geometry

Box = tuple[float, float, float, float]
THRESHOLDS = tuple(step / 100 for step in range(100))
SHOWN_THRESHOLD = 0.7
OVERLAP = 0.5


@dataclass(frozen=True)
class BoxAccuracy:
    """MaxBoxAcc: the share of `n` images whose box overlaps a drawn one enough, at the best `threshold`.

    `accuracies` holds the share at every threshold, `hits` whether each image is hit at the best one and `overlaps`
    how much. The threshold is chosen on the same images, so the value is an upper bound.
    """

    value: float
    threshold: float
    accuracies: NDArray[np.float64]
    hits: NDArray[np.bool_]
    overlaps: NDArray[np.float64]
    n: int


def unit_range(values: NDArray[Any]) -> NDArray[np.float64]:
    """The map between 0 and 1; a map without any difference becomes 0."""
    raw = np.asarray(values, dtype=np.float64)
    span = raw.max() - raw.min()
    return (raw - raw.min()) / span if span > 1e-7 * max(abs(raw.max()), 1e-30) else np.zeros_like(raw)


def cells_of(values: NDArray[Any], threshold: float) -> NDArray[np.bool_] | None:
    """The largest component of cells above `threshold` of the map's range; None if no cell is.

    Of components of one size the first from the top left is taken.
    """
    labels, count = ndimage.label(unit_range(values) > threshold)
    if not count:
        return None
    sizes = np.bincount(labels.ravel())[1:]
    return labels == 1 + int(sizes.argmax())


def box_of(values: NDArray[Any], geometry: Geometry, threshold: float = SHOWN_THRESHOLD) -> Box | None:
    """The box (left, top, right, bottom) of a map `(rows, columns)` in pixels of the original image, or None."""
    cells = cells_of(values, threshold)
    if cells is None:
        return None
    rows, columns = (np.flatnonzero(cells.any(axis=axis)) for axis in (1, 0))
    left, top, _, _ = geometry.cell_box(int(rows[0]), int(columns[0]), *cells.shape)
    _, _, right, bottom = geometry.cell_box(int(rows[-1]), int(columns[-1]), *cells.shape)
    return max(left, 0.0), max(top, 0.0), min(right, float(geometry.width)), min(bottom, float(geometry.height))


def overlap(first: Box, second: Box) -> float:
    """Intersection over union of two boxes (left, top, right, bottom)."""
    across = max(0.0, min(first[2], second[2]) - max(first[0], second[0]))
    down = max(0.0, min(first[3], second[3]) - max(first[1], second[1]))
    inside = across * down
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (first, second))
    return inside / (areas - inside) if areas > inside else 0.0


def max_box_accuracy(
    maps: Sequence[NDArray[Any]],
    geometries: Sequence[Geometry],
    boxes: Sequence[Sequence[Box]],
    *,
    thresholds: Sequence[float] = THRESHOLDS,
    least: float = OVERLAP,
) -> BoxAccuracy:
    """MaxBoxAcc of one map an image against the boxes drawn in it; any of them may be met by more than `least`.

    A map without a box at a threshold misses there. Raises `InputError` if the lists differ in length, are empty, or a
    image has no drawn box.
    """
    if not len(maps) == len(geometries) == len(boxes) or not len(maps):
        raise InputError("give one map, one geometry and one list of boxes for each of at least one image")
    if not all(len(drawn) for drawn in boxes):
        raise InputError("an image without a drawn box can be neither a hit nor a miss; leave it out")
    met = np.zeros((len(maps), len(thresholds)))
    for image, (values, geometry, drawn) in enumerate(zip(maps, geometries, boxes, strict=True)):
        for at, threshold in enumerate(thresholds):
            box = box_of(values, geometry, threshold)
            met[image, at] = 0.0 if box is None else max(overlap(box, other) for other in drawn)
    hits = met > least
    accuracies = hits.mean(axis=0)
    best = int(accuracies.argmax())
    return BoxAccuracy(
        float(accuracies[best]), float(thresholds[best]), accuracies, hits[:, best], met[:, best], len(maps)
    )
