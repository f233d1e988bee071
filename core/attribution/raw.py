"""Raw similarity: the cosine of each place's projected feature with the text."""

from __future__ import annotations

from torch import Tensor

from core.attribution.contract import Work
from core.methods.similarity import RawOptions


def attribute_image(work: Work, options: RawOptions) -> Tensor:
    """Cosine similarities `(images, texts, rows, columns)`."""
    maps = (work.images.places @ work.texts.embeddings.T).transpose(1, 2)
    maps = maps.unflatten(-1, work.images.grid())
    return -maps if options.negate else maps
