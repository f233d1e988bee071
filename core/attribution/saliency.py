"""Saliency: how strongly the cosine reacts to each pixel or token (Simonyan et al., arXiv:1312.6034, section 3)."""

from __future__ import annotations

import torch
from torch import Tensor

from core.attribution import pixels
from core.attribution.contract import Work
from core.methods.pixel_gradient import SaliencyOptions


def attribute_image(work: Work, options: SaliencyOptions) -> Tensor:
    """Maps `(images, texts, rows, columns)`, at least 0: the mean over a cell of each pixel's gradient size."""
    grid = pixels.map_grid(work, options.cells)
    found = []
    for part in pixels.image_chunks(work, len(work.images)):
        gradient = pixels.own_gradients(work, part)
        found.append(pixels.cell_means(pixels.colour_size(gradient, options.norm), grid))
    return torch.cat(found)


def attribute_text(work: Work, options: SaliencyOptions) -> Tensor:
    """The length of the gradient at each token's embedding, `(images, texts, tokens)`."""

    def values(text: int, state: Tensor, mask: Tensor | None) -> Tensor:
        return pixels.token_gradients(work, text, state, mask)[:, 0].norm(dim=-1)

    return pixels.each_text(work, values)
