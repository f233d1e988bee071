"""NACLIP (Hajimiri, Ben Ayed, Dolz, WACV 2025, eq. 5 to 7): keys with keys plus a Gaussian of the distance."""

from __future__ import annotations

from torch import Tensor

from core.attribution.contract import Work
from core.attribution.self_attention import neighbourhood, reattended, self_weights
from core.methods.dense import NaClipOptions


def attribute_image(work: Work, options: NaClipOptions) -> Tensor:
    """Cosines `(images, texts, rows, columns)` after neighbour-aware attention of the last block.

    The Gaussian is 1 at a place itself and falls off with the distance on the grid, in places; it is added to the
    scores before the softmax. Tokens that are no place get none.
    """
    near = neighbourhood(*work.images.grid(), options.std, work.model.image.prefix_tokens).to(work.images.final)
    kept = not options.reduced
    return reattended(work, lambda q, k, v, scale: self_weights(k, scale, near) @ v, kept, kept)
