"""SmoothGrad: the gradient of the cosine averaged over noisy copies of the image (Smilkov et al., arXiv:1706.03825).

The noise is normal; its spread is a share of the range of the normalised image. It depends on the seed and on the
image, not on the text: the same copies serve every text.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from core.attribution import pixels
from core.attribution.contract import Work
from core.methods.pixel_gradient import SmoothGradOptions


def attribute_image(work: Work, options: SmoothGradOptions) -> Tensor:
    """Maps `(images, texts, rows, columns)`, at least 0: the mean over a cell of each pixel's mean gradient's size."""
    grid = pixels.map_grid(work, options.cells)
    weights = torch.full((options.samples,), 1 / options.samples)
    found = []
    for index in range(len(work.images)):
        gradient = pixels.mean_pixel_gradients(work, noisy(work, options, index), weights)
        found.append(pixels.cell_means(pixels.colour_size(gradient, options.norm), grid))
    return torch.stack(found)


def noisy(work: Work, options: SmoothGradOptions, index: int) -> Callable[[slice], Tensor]:
    """A function that gives the noisy copies `(some, 3, height, width)` of one image, slice after slice, in order."""
    image = work.images.pixels[index]
    spread = options.noise * float(image.max() - image.min())
    generator = work.generator("smoothgrad", work.image_keys[index])

    def copies(part: slice) -> Tensor:
        # Drawn copy by copy, so that the size of a slice does not matter.
        drawn = [torch.randn(image.shape, generator=generator) for _ in range(part.start, part.stop)]
        return image + spread * torch.stack(drawn).to(image)

    return copies
