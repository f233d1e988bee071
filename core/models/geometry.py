"""How a picture became the model's input, and the exact way back. No torch.

A model sees a resized and cropped (or padded, or squashed) copy of a picture. `Geometry` keeps the affine map between
the two in pixel-edge coordinates, so that a cell of a native map lands on the part of the original picture that it
was computed from, and pixels that the model never saw are marked as such.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError

ResizeMode = Literal["shortest", "longest", "squash", "none"]


@dataclass(frozen=True)
class Preprocessing:
    """What is done to a picture before the model sees it. `height` and `width` are the input's, in pixels."""

    height: int
    width: int
    mode: ResizeMode = "shortest"
    interpolation: str = "bicubic"
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)
    fill: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a manifest."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Preprocessing:
        """The inverse of `as_dict`."""
        return cls(**{**values, "mean": tuple(values["mean"]), "std": tuple(values["std"])})

    def geometry(self, width: int, height: int) -> Geometry:
        """The way from an original picture of `width` x `height` pixels to the input and back.

        Raises `InputError` for a picture so narrow that nothing of it is left in the input.
        """
        if self.mode == "none":
            return Geometry(width, height, width, height, 1.0, 1.0, 0.0, 0.0)
        if self.mode == "squash":
            return Geometry(width, height, self.width, self.height, self.width / width, self.height / height, 0.0, 0.0)
        new_width, new_height = self._resized(width, height)
        if not (new_width and new_height):
            raise InputError(
                f"a picture of {width} x {height} pixels is too narrow: fitted into {self.width} x {self.height}, "
                "nothing of it is left; crop it"
            )
        # CenterCrop and CenterCropOrPad both round the offset; a negative offset is padding.
        left = _offset(new_width, self.width)
        top = _offset(new_height, self.height)
        return Geometry(width, height, self.width, self.height, new_width / width, new_height / height, left, top)

    def _resized(self, width: int, height: int) -> tuple[int, int]:
        if self.mode == "shortest" and self.width == self.height:
            # torchvision truncates the longer side.
            if width <= height:
                return self.width, int(self.width * height / width)
            return int(self.height * width / height), self.height
        ratios = (height / self.height, width / self.width)
        ratio = max(ratios) if self.mode == "longest" else min(ratios)
        return round(width / ratio), round(height / ratio)


@dataclass(frozen=True)
class Geometry:
    """An affine map from original pixels to input pixels: x_in = x * scale_x - left, likewise for y (pixel edges)."""

    width: int
    height: int
    input_width: int
    input_height: int
    scale_x: float
    scale_y: float
    left: float
    top: float

    def to_original(self, x: float, y: float) -> tuple[float, float]:
        """The original-picture point (x, y) of an input point."""
        return (x + self.left) / self.scale_x, (y + self.top) / self.scale_y

    def to_input(self, x: float, y: float) -> tuple[float, float]:
        """The input point of an original-picture point."""
        return x * self.scale_x - self.left, y * self.scale_y - self.top

    def seen(self) -> tuple[float, float, float, float]:
        """The part of the original that the model saw: (left, top, right, bottom) in original pixels."""
        left, top = self.to_original(0, 0)
        right, bottom = self.to_original(self.input_width, self.input_height)
        return max(left, 0.0), max(top, 0.0), min(right, float(self.width)), min(bottom, float(self.height))

    def cell_box(self, row: int, column: int, rows: int, columns: int) -> tuple[float, float, float, float]:
        """The original-picture box (left, top, right, bottom) of one cell of a `rows` x `columns` map."""
        left, top = self.to_original(column * self.input_width / columns, row * self.input_height / rows)
        right, bottom = self.to_original(
            (column + 1) * self.input_width / columns, (row + 1) * self.input_height / rows
        )
        return left, top, right, bottom

    def on_original(
        self,
        values: NDArray[np.floating[Any]],
        width: int | None = None,
        height: int | None = None,
        smooth: bool = True,
    ) -> NDArray[np.float32]:
        """The map over the original picture, sampled at `height` x `width` pixels (the picture's own size by default).

        `values` is a native map (rows, columns). Cells are interpolated linearly between their centres (`smooth`) or
        painted as they are. Pixels that the model never saw are NaN.
        """
        rows, columns = values.shape
        width, height = width or self.width, height or self.height
        x = ((np.arange(width) + 0.5) * self.width / width * self.scale_x - self.left) / self.input_width * columns
        y = ((np.arange(height) + 0.5) * self.height / height * self.scale_y - self.top) / self.input_height * rows
        outside_x, outside_y = (x < 0) | (x >= columns), (y < 0) | (y >= rows)
        if smooth:
            across, down = _weights(x, columns), _weights(y, rows)
            out = (down @ values.astype(np.float64) @ across.T).astype(np.float32)
        else:
            out = values[
                np.clip(y.astype(int), 0, rows - 1)[:, None], np.clip(x.astype(int), 0, columns - 1)[None, :]
            ].astype(np.float32)
        out[outside_y, :] = np.nan
        out[:, outside_x] = np.nan
        return out


def _weights(position: NDArray[np.floating[Any]], cells: int) -> NDArray[np.float64]:
    centre = np.clip(position - 0.5, 0, cells - 1)
    below = np.floor(centre).astype(int)
    above = np.minimum(below + 1, cells - 1)
    share = centre - below
    out = np.zeros((len(position), cells))
    out[np.arange(len(position)), below] += 1 - share
    out[np.arange(len(position)), above] += share
    return out


def _offset(resized: int, wanted: int) -> float:
    if resized >= wanted:
        return float(round((resized - wanted) / 2.0))
    return -float((wanted - resized) // 2)
