"""Confidence drop and increase: what an image scores when only what the map points at is left to see.

The map, brought to 0 to 1 and enlarged, multiplies the image's normalised pixels once, so that what it does not point
at fades to the mean colour (Chattopadhay et al., WACV 2018; Wang et al., 2020). One forward a map: soft images
cannot be shared between maps, only between texts that have the same map.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from core.models.coalitions import embed_coalitions
from core.models.model import Model

Key = tuple[str, int]
CHUNK = 32


@dataclass(frozen=True)
class Confidence:
    """What the score of the faded image says.

    drop: max(0, s(x) - s(x')), in units of the score. relative_drop: that over s(x), "average drop"; None where s(x)
    is not above 0. increase: 1 if s(x') is above s(x), else 0.
    """

    drop: float
    relative_drop: float | None
    increase: float


def confidence(whole: float, faded: float) -> Confidence:
    """The measures from the scores of the whole and of the faded image."""
    drop = max(0.0, whole - faded)
    return Confidence(drop, drop / whole if whole > 0 else None, float(faded > whole))


def visibility(values: NDArray[Any], height: int, width: int) -> Tensor | None:
    """How visible each pixel is, `(height, width)` from 0 to 1, by the map `(rows, columns)`; None if it is constant.

    Bilinear between the centres of the cells.
    """
    raw = torch.from_numpy(np.array(values, dtype=np.float32))
    low, high = raw.min(), raw.max()
    if not bool(high > low):
        return None
    scaled = ((raw - low) / (high - low))[None, None]
    return F.interpolate(scaled, size=(height, width), mode="bilinear", align_corners=False)[0, 0]


def faded_embeddings(model: Model, pixels: Tensor, maps: Mapping[Key, NDArray[Any]]) -> dict[Key, Tensor]:
    """Unit embeddings of one image `(3, height, width)` faded by each map, by the maps' keys.

    Maps of the same values share a forward; constant maps are left out.
    """
    height, width = pixels.shape[-2:]
    places: dict[bytes, int] = {}
    different: list[NDArray[Any]] = []
    where: dict[Key, int] = {}
    for key, values in maps.items():
        if np.ptp(values) > 0:
            found = np.ascontiguousarray(values, dtype=np.float32)
            content = repr(found.shape).encode() + found.tobytes()
            if content not in places:
                places[content] = len(different)
                different.append(found)
            where[key] = places[content]
    # A map of float64 may lose its differences on the way.
    masks = {at: mask for at, values in enumerate(different) if (mask := visibility(values, height, width)) is not None}
    if not masks:
        return {}
    rows, all_masks = {at: row for row, at in enumerate(masks)}, list(masks.values())
    parts = (torch.stack(all_masks[start : start + CHUNK]) for start in range(0, len(all_masks), CHUNK))
    embedded = embed_coalitions(model, pixels, parts, "mean")
    return {key: embedded[rows[at]] for key, at in where.items() if at in rows}
