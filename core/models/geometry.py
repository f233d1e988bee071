"""How an image became the model's input, and the exact way back. No torch.

A model sees a resized and cropped (or padded, or squashed) copy of an image. `Geometry` keeps the affine map between
the two in pixel-edge coordinates, so that a cell of a native map lands on the part of the original image that it
was computed from, and pixels that the model never saw are marked as such.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError

ResizeMode = Literal["shortest", "longest", "squash", "crop", "none"]
# To the nearest whole pixel (open_clip), or towards zero (transformers).
Centring = Literal["round", "truncate"]


@dataclass(frozen=True)
class Preprocessing:
    """What is done to an image before the model sees it. `height` and `width` are the input's, in pixels.

    `resized` is what an image is resized to before it is cropped, if that is not the input's size: its shortest edge,
    or a height and width. Mode "crop" does not resize. `centring` says how half a pixel of the crop is rounded, and
    `engine` which library resizes.
    """

    height: int
    width: int
    mode: ResizeMode = "shortest"
    interpolation: str = "bicubic"
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)
    fill: int = 0
    resized: int | tuple[int, int] | None = None
    centring: Centring = "round"
    engine: str = "pil"

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a manifest."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Preprocessing:
        """The inverse of `as_dict`."""
        lists = {key: tuple(value) for key, value in values.items() if isinstance(value, list)}
        return cls(**{**values, **lists})

    def geometry(self, width: int, height: int) -> Geometry:
        """The way from an original image of `width` x `height` pixels to the input and back.

        Raises `InputError` for an image so narrow that nothing of it is left in the input.
        """
        if self.mode == "none":
            return Geometry(width, height, width, height, 1.0, 1.0, 0.0, 0.0)
        new_width, new_height = self.before_crop(width, height)
        if not (new_width and new_height):
            raise InputError(
                f"an image of {width} x {height} pixels is too narrow: scaled to {self.width} x {self.height}, "
                "nothing of it is left; crop it"
            )
        left = _offset(new_width, self.width, self.centring)
        top = _offset(new_height, self.height, self.centring)
        return Geometry(width, height, self.width, self.height, new_width / width, new_height / height, left, top)

    def before_crop(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of an image after it was resized, before it is cropped or padded."""
        if self.mode == "crop":
            return width, height
        if self.mode == "squash":
            wanted = self.resized if isinstance(self.resized, tuple) else (self.height, self.width)
            return wanted[1], wanted[0]
        edge = self.resized if isinstance(self.resized, int) else self.width
        if self.mode == "shortest" and (self.resized is not None or self.width == self.height):
            # torchvision and transformers truncate the longer side.
            if width <= height:
                return edge, int(edge * height / width)
            return int(edge * width / height), edge
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
        """The original-image point (x, y) of an input point."""
        return (x + self.left) / self.scale_x, (y + self.top) / self.scale_y

    def to_input(self, x: float, y: float) -> tuple[float, float]:
        """The input point of an original-image point."""
        return x * self.scale_x - self.left, y * self.scale_y - self.top

    def seen(self) -> tuple[float, float, float, float]:
        """The part of the original that the model saw: (left, top, right, bottom) in original pixels."""
        left, top = self.to_original(0, 0)
        right, bottom = self.to_original(self.input_width, self.input_height)
        return max(left, 0.0), max(top, 0.0), min(right, float(self.width)), min(bottom, float(self.height))

    def cell_box(self, row: int, column: int, rows: int, columns: int) -> tuple[float, float, float, float]:
        """The original-image box (left, top, right, bottom) of one cell of a `rows` x `columns` map."""
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
        """The map over the original image, sampled at `height` x `width` pixels (the image's own size by default).

        `values` is a native map (rows, columns). Cells are interpolated linearly between their centres (`smooth`) or
        painted as they are. Pixels that the model never saw are NaN.
        """
        rows, columns = values.shape
        width, height = width or self.width, height or self.height
        x = ((np.arange(width) + 0.5) * self.width / width * self.scale_x - self.left) / self.input_width * columns
        y = ((np.arange(height) + 0.5) * self.height / height * self.scale_y - self.top) / self.input_height * rows
        outside_x, outside_y = (x < 0) | (x >= columns), (y < 0) | (y >= rows)
        if smooth:
            # By the two neighbours of each pixel: as a product of matrices, threads cost more than the sums.
            left, right, across = _neighbours(x, columns)
            upper, lower, down = _neighbours(y, rows)
            raw, down = values.astype(np.float64), down[:, None]
            between = raw[upper] * (1 - down) + raw[lower] * down
            out = (between[:, left] * (1 - across) + between[:, right] * across).astype(np.float32)
        else:
            out = values[
                np.clip(y.astype(int), 0, rows - 1)[:, None], np.clip(x.astype(int), 0, columns - 1)[None, :]
            ].astype(np.float32)
        out[outside_y, :] = np.nan
        out[:, outside_x] = np.nan
        return out


def _neighbours(
    position: NDArray[np.floating[Any]], cells: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """The cells whose centres lie before and after each position, and the weight of the latter."""
    centre = np.clip(position - 0.5, 0, cells - 1)
    below = np.floor(centre).astype(np.intp)
    return below, np.minimum(below + 1, cells - 1), centre - below


def _offset(resized: int, wanted: int, centring: Centring) -> float:
    """How many pixels a crop leaves out before it begins; a negative number of them is padding."""
    if resized < wanted:
        return -float((wanted - resized) // 2)
    return float(round((resized - wanted) / 2.0)) if centring == "round" else float((resized - wanted) // 2)
