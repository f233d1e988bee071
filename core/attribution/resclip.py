"""ResCLIP (Yang et al., CVPR 2025): middle blocks' attention and a first segmentation correct the last block's.

Residual cross-correlation self-attention (section 3.3): A = factor * ((1 - blend) A_self + blend * mean over the middle
blocks of A_qk); the factor is the release's, whose configurations set it to 2. Semantic feedback refinement (section
3.4): what that segments, by a set of labels, says which places belong together, and scores of the last block are mixed
with it before their softmax.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from core.attribution.contract import Work
from core.attribution.self_attention import (
    ATTENTION_COST,
    attention,
    blocks_of,
    correlative,
    dense_maps,
    neighbourhood,
    reattended_places,
    self_weights,
)
from core.errors import InputError
from core.methods.dense import ResClipOptions, middle_blocks


def attribute_image(work: Work, options: ResClipOptions) -> Tensor:
    """Cosines `(images, texts, rows, columns)` after the last block with mixed attention.

    Skip connection and feed-forward part are kept where the base method keeps them (SCLIP). Raises `InputError` if the
    middle blocks are not in the tower.
    """
    near = neighbourhood(*work.images.grid(), options.std, work.model.image.prefix_tokens).to(work.images.final)
    middle = _middle(work, options) if options.blend > 0 else None
    features = _places(work, options, near, middle, None)
    if options.refine > 0:
        features = _places(work, options, near, middle, _feedback(work, options, features))
    return dense_maps(work, features)


def together(labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Which places of a segmentation `(rows, columns)` belong together, `(places, places)` with 1 as the most.

    Places of one label count 1 where a chain of neighbours (of eight) with that label joins them, and otherwise
    exp(-d / D), d their Chebyshev distance and D the largest in the image; places of two labels count 0. Each row is
    divided by its sum, and all by their largest value.
    """
    from scipy.ndimage import label as components

    rows, columns = labels.shape
    part = np.zeros_like(labels)
    for name in np.unique(labels):
        found, _ = components(labels == name, structure=np.ones((3, 3)))
        part = np.where(found > 0, found, part)
    spots = np.stack(np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij"), axis=-1).reshape(-1, 2)
    apart = np.abs(spots[:, None] - spots[None]).max(axis=-1)
    flat, pieces = labels.ravel(), part.ravel()
    same = flat[:, None] == flat[None]
    joined = pieces[:, None] == pieces[None]
    values = same * np.where(joined, 1.0, np.exp(-apart / max(apart.max(), 1)))
    values /= values.sum(axis=1, keepdims=True)
    return values / values.max()


def _places(
    work: Work, options: ResClipOptions, near: Tensor, middle: Tensor | None, feedback: Tensor | None
) -> Tensor:
    """Features `(images, places, embedding)` of the last block with its base method's attention, mixed."""
    # Scores mixed with a segmentation are the scores times a factor, plus a bias.
    factor, bias = 1.0, None
    if feedback is not None:
        factor, bias = options.gain * (1 - options.refine), options.gain * options.refine * feedback
    nearby = near if bias is None else near + bias

    def mix(q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
        scale *= factor
        if options.base == "sclip":
            own = correlative(q, k, scale, bias)
        else:
            own = self_weights(q, scale, bias) if options.base == "clearclip" else self_weights(k, scale, nearby)
        if middle is None:
            return own @ v
        return options.factor * ((1 - options.blend) * own + options.blend * middle) @ v

    kept = options.base == "sclip"
    return reattended_places(work, mix, kept, kept)


def _feedback(work: Work, options: ResClipOptions, features: Tensor) -> Tensor:
    """`together` for the nearest label at each place, `(images, 1, tokens, tokens)`; 0 for tokens that are no place."""
    key = ("resclip labels", options.labels)
    if key not in work.pools:
        with torch.no_grad():
            work.pools[key] = work.model.embed_texts(list(options.labels))
    nearest = (F.normalize(features, dim=-1) @ work.pools[key].to(features).T).argmax(dim=-1)
    grid, prefix = work.images.grid(), work.model.image.prefix_tokens
    found = [torch.from_numpy(together(one.reshape(grid).cpu().numpy())) for one in nearest]
    return F.pad(torch.stack(found)[:, None], (prefix, 0, prefix, 0)).to(features)


def _middle(work: Work, options: ResClipOptions) -> Tensor:
    """The attention `(images, 1, tokens, tokens)` of the middle blocks, the mean over blocks and heads."""
    tower = work.model.image
    chosen = middle_blocks(options, tower.depth)
    if not chosen or chosen[-1] >= tower.depth:
        raise InputError(
            f"resclip: first and last must be blocks of the image side, 0 to {tower.depth - 1} with first <= last, "
            f"not {options.first} and {options.last}"
        )
    with torch.no_grad():
        total = torch.zeros(())
        for index in chosen:
            weights = attention(blocks_of(tower)[index], work.images.entering(index))
            total = weights.mean(dim=1, keepdim=True) + total.to(weights)
    work.model.meter.image += ATTENTION_COST * len(chosen) / tower.depth * len(work.images)
    return total / len(chosen)
