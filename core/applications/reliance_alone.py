"""The corners of a picture shown by themselves: what of a class's score is found wherever one looks.

A thing is in one place. What a corner shows as well as any other place is texture, light or style.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from core.applications.reliance_places import Pool
from core.applications.reliance_record import CORNERS
from core.applications.reliance_texts import Bank


def corners_alone(names: Sequence[str], alone: Tensor) -> Tensor | None:
    """The mean `(embedding,)` over corners of their unit embeddings; `alone` has those of the places `names`.

    Its product with a direction is the corners' mean score. None if the picture has no corners of its own.
    """
    chosen = [at for at, name in enumerate(names) if name in CORNERS]
    return alone[chosen].mean(dim=0) if chosen else None


def alone_rows(
    bank: Bank,
    about: Mapping[str, Any],
    best: int,
    whole: Tensor,
    corners: Tensor | None,
    pool: Pool,
    grid: Sequence[int],
) -> list[dict[str, Any]]:
    """The rows of the table `alone` for one picture `(embedding,)`: every class, less the empty picture."""
    if corners is None or len(bank.classes) < 2:
        return []
    empty = pool.embeddings(torch.zeros(1, *grid, dtype=torch.bool))[0]
    scores = (torch.stack([corners - empty, whole - empty]) @ bank.class_directions.T).double().cpu().tolist()
    return [
        {**about, "text": name, "best": at == best, "corners": scores[0][at], "total": scores[1][at]}
        for at, name in enumerate(bank.classes)
    ]
