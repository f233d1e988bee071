"""What a picture looks like to anyone: four numbers that no model has a part in."""

from __future__ import annotations

import torch
from torch import Tensor

from core.models.model import Model

LUMINANCE = (0.299, 0.587, 0.114)


def look_of(model: Model, pixels: Tensor) -> dict[str, float]:
    """Light, contrast, colour and detail of what the model is shown, preprocessed `(3, height, width)`.

    They are the mean and the spread of luminance, the mean range of the channels, and the mean step from one pixel to
    the next, each of a range of 1.
    """
    mean, spread, weights = (
        torch.tensor(values, dtype=torch.float64)[:, None, None]
        for values in (model.preprocessing.mean, model.preprocessing.std, LUMINANCE)
    )
    colours = (pixels.detach().cpu().double() * spread + mean).clamp(0, 1)
    light = (colours * weights).sum(dim=0)
    steps = (light.diff(dim=0).abs().mean() + light.diff(dim=1).abs().mean()) / 2
    reach = (colours.amax(dim=0) - colours.amin(dim=0)).mean()
    found = {"light": light.mean(), "contrast": light.std(), "colour": reach, "detail": steps}
    return {name: float(value) for name, value in found.items()}
