"""Points for an interactive segmenter from a label's map, as numbers and drawn; Segment Anything if a person has it.

Li et al., arXiv:2304.05653: the map is halved, scaled to 0..1, and its cells above 0.8 become positive points, as many
of the lowest ones negative. No torch here unless Segment Anything is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from core.errors import InputError
from core.models.geometry import Geometry

# A map with fewer cells a side than this isn't halved: nothing would be left to point at.
LEAST_CELLS = 14
Point = tuple[float, float]


@dataclass(frozen=True)
class Points:
    """Points in pixels of the original image: on what is meant, and on what isn't."""

    positive: tuple[Point, ...]
    negative: tuple[Point, ...]

    def scaled(self, across: float, down: float) -> Points:
        """The points in the image at another size, by the factors of its width and height."""
        sides = (tuple((x * across, y * down) for x, y in side) for side in (self.positive, self.negative))
        return Points(*sides)

    def as_dict(self) -> dict[str, list[list[float]]]:
        """Plain values for JSON, to a tenth of a pixel."""
        sides = (("positive", self.positive), ("negative", self.negative))
        return {name: [[round(x, 1), round(y, 1)] for x, y in points] for name, points in sides}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Points:
        """The inverse of `as_dict`."""
        sides = (tuple((float(x), float(y)) for x, y in values[name]) for name in ("positive", "negative"))
        return cls(*sides)


def prompt_points(values: NDArray[Any], geometry: Geometry, threshold: float = 0.8) -> Points:
    """The points of one map (rows, columns): its highest cells from `threshold` of its range on, as many lowest.

    At most half of the cells are positive. A constant map gives none. Cells whose centre lies outside the original
    image (padding) give no point.
    """
    cells = halved(values)
    shown = _scaled(cells)
    order = np.argsort(shown.ravel(), kind="stable")
    count = min(int((shown >= threshold).sum()), shown.size // 2)
    if not shown.any():
        count = 0
    highest, lowest = order[::-1][:count], order[:count]
    return Points(_centres(highest, cells.shape, geometry), _centres(lowest, cells.shape, geometry))


def common_points(maps: Sequence[NDArray[Any]], geometry: Geometry, threshold: float = 0.8) -> Points:
    """The points of several texts together: positives of each map, negatives from the mean of the scaled maps."""
    each = [prompt_points(values, geometry, threshold) for values in maps]
    positive = tuple(dict.fromkeys(point for points in each for point in points.positive))
    mean = np.mean([_scaled(halved(values)) for values in maps], axis=0)
    order = np.argsort(mean.ravel(), kind="stable")[: min(len(positive), mean.size // 2)]
    chosen = [point for point in _centres(order, mean.shape, geometry) if point not in positive]
    return Points(positive, tuple(chosen))


def halved(values: NDArray[Any]) -> NDArray[np.float64]:
    """The map at half its rows and columns, linear between cell centres; a small map stays as it is."""
    found = np.asarray(values, np.float64)
    if min(found.shape) < LEAST_CELLS:
        return found
    down, across = (_halving(cells) for cells in found.shape)
    result: NDArray[np.float64] = down @ found @ across.T
    return result


def draw_points(image: Image.Image, points: Points, radius: int | None = None) -> Image.Image:
    """A copy of the image with positive points as filled green discs and negative ones as red rings."""
    drawn = image.convert("RGB")
    pen = ImageDraw.Draw(drawn)
    size = radius or max(4, round(min(drawn.size) / 28))
    edge = max(1, size // 4)
    for (x, y), positive in [(p, False) for p in points.negative] + [(p, True) for p in points.positive]:
        box = (x - size, y - size, x + size, y + size)
        pen.ellipse((box[0] - edge, box[1] - edge, box[2] + edge, box[3] + edge), outline="white", width=edge)
        # The two differ in shape as well as in colour.
        if positive:
            pen.ellipse(box, fill="#009e73")
        else:
            pen.ellipse(box, outline="#d55e00", width=max(2, size // 3))
    return drawn


# -- Segment Anything -----------------------------------------------------------------------------------------------


# Why points are shown without masks.
NO_CHECKPOINT = "no Segment Anything checkpoint was given, so only the points are shown"  # messages
NOT_INSTALLED = "the package segment_anything is not installed, so only the points are shown"  # messages


def sam_reason(checkpoint: str) -> str | None:
    """None if points can be made into masks, otherwise one line that says why they stand alone."""
    if not checkpoint:
        return NO_CHECKPOINT
    if find_spec("segment_anything") is None:
        return NOT_INSTALLED
    if not Path(checkpoint).is_file():
        return f"{checkpoint} is not a file, so only the points are shown"
    return None


def load_sam(checkpoint: str, kind: str = "vit_b") -> Any:
    """A predictor of Segment Anything. Raises `InputError` if it can't be had."""
    reason = sam_reason(checkpoint)
    if reason is not None:
        raise InputError(reason)
    package = import_module("segment_anything")
    if kind not in package.sam_model_registry:
        raise InputError(f"segment_anything has no model {kind!r}; known: {', '.join(package.sam_model_registry)}")
    return package.SamPredictor(package.sam_model_registry[kind](checkpoint=checkpoint))


def sam_mask(predictor: Any, image: Image.Image, points: Points) -> tuple[NDArray[np.bool_], float]:
    """Segment Anything's mask (height, width) with the best score of its three, and that score."""
    if not points.positive:
        raise InputError("there is no positive point to segment from")
    places = np.array([*points.positive, *points.negative], np.float32)
    kinds = np.array([1] * len(points.positive) + [0] * len(points.negative))
    predictor.set_image(np.asarray(image.convert("RGB")))
    masks, scores, _ = predictor.predict(point_coords=places, point_labels=kinds, multimask_output=True)
    best = int(np.argmax(scores))
    return np.asarray(masks[best], bool), float(scores[best])


def _halving(cells: int) -> NDArray[np.float64]:
    at = (np.arange(cells // 2) + 0.5) * cells / (cells // 2) - 0.5
    unit = np.eye(cells)
    return np.stack([np.interp(at, np.arange(cells), unit[:, column]) for column in range(cells)], axis=1)


def _scaled(values: NDArray[Any]) -> NDArray[np.float64]:
    low, high = float(np.min(values)), float(np.max(values))
    if high - low <= 1e-7 * max(abs(low), abs(high), 1e-30):
        return np.zeros(np.shape(values))
    result: NDArray[np.float64] = (np.asarray(values, np.float64) - low) / (high - low)
    return result


def _centres(cells: NDArray[Any], shape: tuple[int, ...], geometry: Geometry) -> tuple[Point, ...]:
    rows, columns = shape
    found = []
    for cell in cells.tolist():
        row, column = divmod(cell, columns)
        across, down = (column + 0.5) / columns * geometry.input_width, (row + 0.5) / rows * geometry.input_height
        x, y = geometry.to_original(across, down)
        if 0 <= x < geometry.width and 0 <= y < geometry.height:
            found.append((x, y))
    return tuple(found)
