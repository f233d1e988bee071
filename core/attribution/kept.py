"""Crops that one part of an audit has embedded and another asks for: the ConVis maps and the concepts of a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from core.methods.crops import MOST_BYTES


class KeptCrops:
    """Embeddings of images' crops on an even margin, held in memory up to `most` bytes; the first ones stay.

    What is not held is embedded again, to the same numbers, so a run that was interrupted loses time and nothing else.
    """

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._left = most
        self._held: dict[tuple[str, str], Tensor] = {}

    def __len__(self) -> int:
        """Of how many images and presets crops are held."""
        return len(self._held)

    def keep(self, pools: Mapping[Any, Any]) -> None:
        """Hold the crops that one image's methods have left in their pools."""
        for key, found in pools.items():
            if not (isinstance(key, tuple) and key[0] == "convis"):
                continue
            _, image, preset, noisy = key
            size = found.numel() * found.element_size()
            # Noise is drawn from other seeds elsewhere.
            if not noisy and (image, preset) not in self._held and size <= self._left:
                self._held[image, preset] = found.detach().to("cpu", torch.float32)
                self._left -= size

    def crops(self, image: str, preset: str) -> Tensor | None:
        """Unit embeddings `(crops, embedding)` of the image with this content key; None if they are not held."""
        return self._held.get((image, preset))
