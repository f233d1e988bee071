"""Input times gradient (Shrikumar et al., arXiv:1605.01713): the straight line that touches the score, place by place.

The input is the normalised image, whose zero is the mean colour, or the embeddings of a text's tokens.
"""

from __future__ import annotations

import torch
from torch import Tensor

from core.attribution import pixels
from core.attribution.contract import Work
from core.methods.pixel_gradient import InputGradientOptions


def attribute_image(work: Work, options: InputGradientOptions) -> Tensor:
    """Signed maps `(images, texts, rows, columns)` in units of the cosine: summed over colours and pixels of a cell."""
    grid = pixels.map_grid(work, options.cells)
    found = []
    for part in pixels.image_chunks(work, len(work.images)):
        some = work.images.pixels[part]
        found.append(pixels.cell_sums((pixels.own_gradients(work, part) * some[:, None]).sum(dim=2), grid))
    return torch.cat(found)


def attribute_text(work: Work, options: InputGradientOptions) -> Tensor:
    """Signed values `(images, texts, tokens)`: each token's embedding, position included, times its gradient."""

    def values(text: int, state: Tensor, mask: Tensor | None) -> Tensor:
        return (pixels.token_gradients(work, text, state, mask)[:, 0] * state).sum(dim=-1)

    return pixels.each_text(work, values)
