"""ConVis as released: a window at every step of the canvas, one forward each, ranks written into a map of pixels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from core.models.model import Model


def literal(
    model: Model,
    pixels: Tensor,
    glosses: Tensor,
    members: Sequence[int],
    generator: torch.Generator,
    cells: int = 14,
) -> Tensor:
    """The map `(height, width)` in 0..1 of the concept with these `members`, for `pixels` (3, height, width).

    `glosses` (concepts, embedding) are unit vectors. The canvas is uniform noise from `generator`. An image whose
    sides aren't whole numbers of cells is enlarged first, and its map has the enlarged size.
    """
    mean, std = (torch.tensor(v).to(pixels)[:, None, None] for v in (model.preprocessing.mean, model.preprocessing.std))
    height, width = pixels.shape[-2:]
    down, across = -(-height // cells), -(-width // cells)
    image = pixels * std + mean
    if (down * cells, across * cells) != (height, width):
        image = resized(image, down * cells, across * cells)
    edge = 4 * cells // 7
    canvas = torch.rand(3, (cells + 2 * edge) * down, (cells + 2 * edge) * across, generator=generator).to(pixels)
    inside = (slice(edge * down, (edge + cells) * down), slice(edge * across, (edge + cells) * across))
    canvas[:, inside[0], inside[1]] = image
    low, high = canvas.amin(dim=(1, 2)).clamp(max=0), canvas.amax(dim=(1, 2)).clamp(min=1)
    total = torch.zeros(canvas.shape[1:], dtype=torch.float64)
    with torch.no_grad():
        for side in (4 * cells // 7, 2 * cells // 7):
            # Windows start at every step, also where nothing of the image or only a part of the window is left.
            for top in range(0, canvas.shape[1], down):
                for left in range(0, canvas.shape[2], across):
                    window = canvas[:, top : top + side * down, left : left + side * across]
                    window = resized(window, height, width)
                    window = torch.minimum(torch.maximum(window, low[:, None, None]), high[:, None, None])
                    unit = F.normalize(model.image.plain(((window - mean) / std)[None])[0], dim=0)
                    best_first = (glosses @ unit).argsort(descending=True)
                    rank = best_first.argsort()
                    total[top : top + side * down, left : left + side * across] += int(rank[list(members)].min())
    found = total[inside]
    return 1 - (found - found.min()) / (found.max() - found.min()).clamp(min=1e-12)


def resized(image: Tensor, height: int, width: int) -> Tensor:
    """Bicubic with antialiasing, as images are prepared."""
    size = (height, width)
    return F.interpolate(image[None], size=size, mode="bicubic", align_corners=False, antialias=True)[0]
