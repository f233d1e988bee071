"""The maps of the method `brightness`. This module alone loads torch, in the process that computes."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from core.attribution.contract import Work
from loupe_brightness.card import BrightnessOptions

CHANNELS = {"all": slice(None), "red": slice(0, 1), "green": slice(1, 2), "blue": slice(2, 3)}


def attribute_image(work: Work, options: BrightnessOptions) -> Tensor:
    """Raw maps `(images, texts, rows, columns)` at the grid of the model."""
    grey = work.images.pixels[:, CHANNELS[options.channel]].mean(dim=1, keepdim=True)
    cells = adaptive_avg_pool2d(grey, work.images.grid())
    return cells * work.scores[:, :, None, None]
