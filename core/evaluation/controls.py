"""Maps that know nothing of the text: random, centre and edge. A method that does not beat them has shown nothing."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

NAMES = ("random", "centre", "edge")


def control_maps(pixels: Tensor, rows: int, columns: int, generator: torch.Generator) -> dict[str, Tensor]:
    """One map `(rows, columns)` a control for one image `(3, height, width)`.

    random: uniform noise; centre: a Gaussian whose standard deviation is a quarter of each side; edge: mean gradient
    magnitude of the luminance (Sobel) in each cell.
    """
    y = torch.linspace(-1 + 1 / rows, 1 - 1 / rows, rows)
    x = torch.linspace(-1 + 1 / columns, 1 - 1 / columns, columns)
    centre = torch.exp(-0.5 * ((y[:, None] / 0.5) ** 2 + (x[None, :] / 0.5) ** 2))
    grey = pixels.mean(dim=0, keepdim=True)[None].float().cpu()
    sobel = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])[None, None]
    padded = F.pad(grey, (1, 1, 1, 1), mode="replicate")
    strength = (F.conv2d(padded, sobel) ** 2 + F.conv2d(padded, sobel.transpose(2, 3)) ** 2).sqrt()
    edge = F.adaptive_avg_pool2d(strength, (rows, columns))[0, 0]
    return {"random": torch.rand(rows, columns, generator=generator), "centre": centre, "edge": edge}
