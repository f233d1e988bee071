"""Gradients of the score at pixels and at token embeddings, and values of pixels brought to the model's grid.

One graph through the whole tower serves all texts of an image (or all images of a text).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from core.attribution.contract import Work, image_key
from core.attribution.gradients import score_gradients
from core.settings import byte_budget

# A graph through a whole tower keeps up to this many planes of the image's size, 3 colours each; the walk back of a
# text needs this many more.
GRAPH_PLANES = 360
WALK_PLANES = 48


def pixel_gradients(work: Work, pixels: Tensor) -> Tensor:
    """The gradient of every text's cosine at each pixel, `(images, texts, 3, height, width)`, of any images."""
    tower = work.model.image
    # A clone, because what was made in inference mode cannot be differentiated.
    leaf = pixels.detach().clone().requires_grad_()
    unit = F.normalize(tower.leave(tower.run(tower.enter(leaf), 0)), dim=-1)
    (gradient,) = score_gradients(unit, work.texts.embeddings, [leaf], kept=WALK_PLANES)
    work.model.meter.image += len(pixels) * (1 + 2 * len(work.texts))
    return gradient.transpose(0, 1)


def own_gradients(work: Work, part: slice) -> Tensor:
    """`pixel_gradients` at some of the work's own images. Methods that ask for all at once share them."""
    some = work.images.pixels[part]
    if len(some) < len(work.images):
        return pixel_gradients(work, some)
    key = ("gradients", *work.image_keys, image_key(work.texts.embeddings))
    if key not in work.pools:
        work.pools[key] = pixel_gradients(work, some)
    found: Tensor = work.pools[key]
    return found


def image_chunks(work: Work, count: int) -> Iterator[slice]:
    """`count` images in pieces whose graphs, and gradients for all texts, fit the byte budget."""
    plane = work.images.pixels[0].numel() * work.images.pixels.element_size()
    walks = min(WALK_PLANES * len(work.texts), GRAPH_PLANES)
    step = max(1, byte_budget() // ((GRAPH_PLANES + walks + 2 * len(work.texts)) * plane))
    return (slice(start, min(start + step, count)) for start in range(0, count, step))


def mean_pixel_gradients(work: Work, points: Callable[[slice], Tensor], weights: Tensor) -> Tensor:
    """The weighted sum `(texts, 3, height, width)` of the gradients at several images.

    `points` gives the images of a slice `(some, 3, height, width)`; there are as many as `weights`.
    """
    total = work.images.pixels.new_zeros(len(work.texts), *work.images.pixels.shape[1:])
    for part in image_chunks(work, len(weights)):
        total += torch.tensordot(weights[part].to(total), pixel_gradients(work, points(part)), dims=1)
    return total


# -- texts ------------------------------------------------------------------------------------------------------------


def each_text(work: Work, values: Callable[[int, Tensor, Tensor | None], Tensor]) -> Tensor:
    """`(images, texts, tokens)` from `values(text, state, mask)`, which gives `(images, tokens)` of one text alone.

    `state` is the embedding of its tokens `(1, tokens, width)`, before the first block, without padding.
    """
    found = []
    width = work.texts.ids.shape[1]
    for text in range(len(work.texts)):
        with torch.no_grad():
            state, mask = work.model.text.enter(work.texts.own_ids(text))
        own = values(text, state.detach(), mask)
        found.append(F.pad(own, (0, width - own.shape[-1])))
    return torch.stack(found, dim=1)


def token_gradients(work: Work, text: int, states: Tensor, mask: Tensor | None) -> Tensor:
    """The gradient of each image's cosine with one text, `(images, states, tokens, width)`.

    `states` `(some, tokens, width)` are embeddings of that text's tokens, before the first block.
    """
    tower = work.model.text
    leaf = states.detach().clone().requires_grad_()
    ids = work.texts.own_ids(text).expand(len(states), -1)
    unit = F.normalize(tower.leave(tower.run(leaf, mask, 0), ids), dim=-1)
    (gradient,) = score_gradients(unit, work.images.embeddings, [leaf])
    work.model.meter.text += len(states) * (1 + 2 * len(work.images))
    return gradient


# -- from pixels to cells -------------------------------------------------------------------------------------------


def map_grid(work: Work, cells: int) -> tuple[int, int]:
    """Rows and columns of the model's own grid, or `cells` each where the model does not show one."""
    return work.images.grid() if "image_layers" in work.model.capabilities else (cells, cells)


def cell_sums(values: Tensor, grid: tuple[int, int]) -> Tensor:
    """Values of pixels `(..., height, width)` summed over each cell `(..., rows, columns)`; each counts once."""
    down, across = (_members(size, cells) for size, cells in zip(values.shape[-2:], grid, strict=True))
    return down.to(values) @ values @ across.to(values).T


def cell_means(values: Tensor, grid: tuple[int, int]) -> Tensor:
    """The mean of the pixels of each cell, likewise."""
    return cell_sums(values, grid) / cell_sums(values.new_ones(values.shape[-2:]), grid)


def colour_size(gradient: Tensor, norm: str) -> Tensor:
    """One size a pixel `(..., height, width)` of `(..., 3, height, width)`: the largest magnitude, or the length."""
    return gradient.abs().amax(dim=-3) if norm == "max" else gradient.norm(dim=-3)


def _members(size: int, cells: int) -> Tensor:
    # A pixel belongs to the cell that its centre lies in, also where the side is not a multiple of the cells.
    cell = ((torch.arange(size) + 0.5) * cells / size).long()
    return F.one_hot(cell, cells).T
