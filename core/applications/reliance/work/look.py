"""What an image and its parts look like to anyone: numbers that no model has a part in."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from core.models.model import Model

LUMINANCE = (0.299, 0.587, 0.114)


def look_of(model: Model, pixels: Tensor) -> dict[str, float]:
    """Light, contrast, colour and detail of what the model is shown, preprocessed `(3, height, width)`.

    They are the mean and the spread of luminance, the mean range of the channels, and the mean step from one pixel to
    the next, each of a range of 1.
    """
    colours, light = _colours(model, pixels)
    steps = (light.diff(dim=0).abs().mean() + light.diff(dim=1).abs().mean()) / 2
    reach = (colours.amax(dim=0) - colours.amin(dim=0)).mean()
    found = {"light": light.mean(), "contrast": light.std(), "colour": reach, "detail": steps}
    return {name: float(value) for name, value in found.items()}


def cell_looks(model: Model, pixels: Tensor, rows: int, columns: int) -> list[float]:
    """Five numbers of each cell of the model's input, cell by cell: mean red, green and blue, contrast and detail."""
    colours, light = _colours(model, pixels)
    steps = torch.zeros_like(light)
    steps[1:] += light.diff(dim=0).abs() / 2
    steps[:, 1:] += light.diff(dim=1).abs() / 2
    layers = torch.cat([colours, light[None], light[None] ** 2, steps[None]])
    pooled = adaptive_avg_pool2d(layers[None], (rows, columns))[0]
    contrast = (pooled[4] - pooled[3] ** 2).clamp(min=0).sqrt()
    found = torch.stack([*pooled[:3], contrast, pooled[5]], dim=-1)
    return [float(value) for value in found.float().flatten()]


def _colours(model: Model, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Red, green and blue `(3, height, width)` and luminance `(height, width)` of a preprocessed image, 0 to 1."""
    mean, spread, weights = (
        torch.tensor(values, dtype=torch.float64)[:, None, None]
        for values in (model.preprocessing.mean, model.preprocessing.std, LUMINANCE)
    )
    colours = (pixels.detach().cpu().double() * spread + mean).clamp(0, 1)
    return colours, (colours * weights).sum(dim=0)
