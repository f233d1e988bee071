"""CLIP-PRS (Gandelsman, Efros, Steinhardt, ICLR 2024): what attention carries from each place to the read-out."""

from __future__ import annotations

from torch import Tensor

from core.attribution.contract import Work
from core.attribution.decomposition import Parts, head_contributions, parts, token_contributions
from core.errors import InputError
from core.methods.attention import ClipPrsOptions

__all__ = ["Parts", "attribute_image", "chosen_blocks", "head_contributions", "parts"]


def attribute_image(work: Work, options: ClipPrsOptions) -> Tensor:
    """Signed shares of the cosine `(images, texts, rows, columns)` that blocks and heads carry from each place.

    What class and register tokens, feed-forward parts and biases give is in `parts`, not in the map. Raises
    `InputError` for a block or a head that is not there.
    """
    tower = work.model.image
    values = token_contributions(work, chosen_blocks(options, tower.depth), options.head)
    return values[..., tower.prefix_tokens :].unflatten(-1, work.images.grid())


def chosen_blocks(options: ClipPrsOptions, depth: int) -> list[int]:
    """The blocks that are summed. Raises `InputError` if there is no such block."""
    if options.layer is None:
        return list(range(max(depth - options.layers, 0), depth))
    block = options.layer + depth if options.layer < 0 else options.layer
    if not 0 <= block < depth:
        raise InputError(f"clip_prs: layer must be a block of the image side, 0 to {depth - 1}, not {options.layer}")
    return [block]
