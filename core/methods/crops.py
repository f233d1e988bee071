"""Crops of an image that an audit embeds once for every method and application that asks for them. No torch."""

from __future__ import annotations

from typing import Any

# Crops of an image by the grid on which they lie.
CROPS = {"exact": 730, "fast": 164}
# Embeddings that an audit holds between its methods and its applications.
MOST_BYTES = 256 * 2**20
# Numbers of an embedding, in a wide joint space, and bytes of each.
_WIDE, _EACH = 1024, 4


def even_crops(options: Any) -> dict[str, int]:
    """Number of crops by grid that options with `preset` and `margin` ask for; none on noise, which differs."""
    noisy = options.margin == "noise" or getattr(options, "paper_exact", False)
    return {} if noisy else {options.preset: CROPS[options.preset]}


def held_images(count: int) -> int:
    """Of how many images `count` crops each are surely held, in a joint space of at most 1,024 dimensions."""
    return MOST_BYTES // (count * _WIDE * _EACH)
