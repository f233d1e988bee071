"""Embeddings of partly hidden images.

A coalition says how visible each pixel is; whole cells may also leave the image (`core.models.pool`). Hidden pixels
are replaced in the model's normalised pixel space by a named removal operator. The embeddings depend on no text.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from core.deferred import Deferred
from core.errors import InputError
from core.models.model import Model

gaussian_blur = Deferred("torchvision.transforms.functional", "gaussian_blur")
Removal = Literal["auto", "drop", "black", "mean", "blur"]


def removed(model: Model, pixels: Tensor, removal: Removal) -> Tensor:
    """What a fully hidden image looks like, `(images, 3, height, width)` in normalised pixels.

    black: RGB 0; mean: the mean colour that preprocessing subtracts; blur: Gaussian of 1/20 of the side. Raises
    `InputError` for an operator that does not act on pixels.
    """
    if removal in ("auto", "drop"):
        raise InputError(f"removal {removal!r} acts on whole cells; for single pixels use black, mean or blur")
    if removal == "mean":
        return torch.zeros_like(pixels)
    if removal == "black":
        mean = torch.tensor(model.preprocessing.mean, device=pixels.device)
        std = torch.tensor(model.preprocessing.std, device=pixels.device)
        return (-mean / std)[None, :, None, None].expand_as(pixels)
    sigma = max(pixels.shape[-2:]) / 20
    kernel = 2 * round(2 * sigma) + 1
    blurred: Tensor = gaussian_blur(pixels, [kernel, kernel], [sigma, sigma])
    return blurred


def embed_coalitions(model: Model, pixels: Tensor, masks: Iterable[Tensor], removal: Removal = "mean") -> Tensor:
    """Unit embeddings `(coalitions, embedding)` of one image `(3, height, width)`, fp32.

    `masks` yields visibilities `(some, height, width)` in [0, 1]; they are consumed chunk by chunk and not kept.
    """
    base = removed(model, pixels[None], removal)
    step = model.image_batch(pixels.shape[-2:])
    found = []
    with torch.no_grad():
        for some in masks:
            for part in some.split(step):
                visible = part[:, None].to(pixels.device, pixels.dtype)
                found.append(model.bulk(base + visible * (pixels - base)))
                model.meter.image += len(part)
    return F.normalize(torch.cat(found), dim=-1)


def cell_masks(kept: Tensor, height: int, width: int) -> Tensor:
    """Visibilities `(coalitions, height, width)` of hard cells kept or hidden, from `(coalitions, rows, columns)`."""
    rows, columns = kept.shape[-2:]
    # Nearest by pixel centres, exact also where the side is not a multiple of the cells.
    row = ((torch.arange(height) + 0.5) * rows / height).long()
    column = ((torch.arange(width) + 0.5) * columns / width).long()
    return kept[:, row.to(kept.device)][:, :, column.to(kept.device)].float()
