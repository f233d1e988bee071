"""One image, some texts and a model, and the module that other packages are given: image in, cosines out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from core.attribution.contract import Work
from core.models.model import Model
from core.models.trunk import ImageTrunk, TextTrunk

Maps = dict[str, NDArray[Any]]
# Images that a loop sends through the tower at once.
BATCH = 8


@dataclass
class Problem:
    """What both sides explain. `units` are the texts' unit embeddings, which nobody is charged for.

    `samples` is how many coalitions a sampling method of ours takes; `few` is how many a package is measured with where
    it asks again for every text, `steps` the points of integrated gradients, `cells` the players a side.
    """

    model: Model
    pixels: Tensor
    texts: list[str]
    units: Tensor
    samples: int = 512
    few: int = 64
    steps: int = 8
    cells: int = 7

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the tower's tokens."""
        height, width = self.pixels.shape[-2:]
        return self.model.image.grid(self.pixels.new_zeros(1, 0, 0), height, width)

    def work(self) -> Work:
        """Fresh work, with nothing computed yet but the texts' embeddings."""
        texts = TextTrunk(self.model, self.texts)
        texts.embeddings = self.units
        return Work(self.model, ImageTrunk(self.model, self.pixels), texts)

    def cosines(self) -> CosineWithTexts:
        """The wrapper, around weights that are trainable as open_clip leaves them."""
        self.model.net.requires_grad_(True)
        return CosineWithTexts(self.model.net, self.units)

    def cell_mask(self) -> Tensor:
        """The number of each pixel's cell `(1, 1, height, width)`."""
        height, width = self.pixels.shape[-2:]
        row = ((torch.arange(height) + 0.5) * self.cells / height).long()
        column = ((torch.arange(width) + 0.5) * self.cells / width).long()
        return (row[:, None] * self.cells + column)[None, None]


class CosineWithTexts(nn.Module):
    """Normalised pixels `(images, 3, height, width)` to cosines `(images, texts)`: CLIP as a classifier."""

    def __init__(self, net: Any, units: Tensor) -> None:
        super().__init__()
        self.net = net
        self.register_buffer("units", units.detach())

    def forward(self, pixels: Tensor) -> Tensor:
        """Cosines of every image with every text."""
        return F.normalize(self.net.encode_image(pixels), dim=-1) @ self.units.T


def lively_problem(model: Model, pixels: Tensor, texts: list[str], **sizes: int) -> Problem:
    """A problem on one image `(1, 3, height, width)`; the texts are embedded here."""
    with torch.no_grad():
        return Problem(model, pixels, texts, model.embed_texts(texts), **sizes)


def cells_of(values: Tensor, cells: int) -> NDArray[Any]:
    """Values of pixels `(maps, height, width)`, even within each cell, as `(maps, cells, cells)`."""
    return F.adaptive_avg_pool2d(values.detach()[:, None].float(), cells)[:, 0].numpy()


def means(values: Tensor, grid: tuple[int, int]) -> NDArray[Any]:
    """Values of pixels `(maps, height, width)` averaged over the places of `grid`."""
    return F.adaptive_avg_pool2d(values.detach()[:, None].float(), grid)[:, 0].numpy()


def centres(values: Tensor, grid: tuple[int, int]) -> NDArray[Any]:
    """Maps enlarged bilinearly `(maps, height, width)` read again at the middle of each place of `grid`."""
    large = values.detach()[:, None].float()
    return F.interpolate(large, size=grid, mode="bilinear", align_corners=False)[:, 0].numpy()
