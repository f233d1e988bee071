"""The ring and the corners of an image shown by themselves: what of a class's score is found there.

Hiding a mark costs little where the thing itself says the class too; shown alone the mark can't hide behind it. And
what every corner shows as well as any other place is texture, light or style: a thing is in one place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from core.applications.reliance.record import EDGES
from core.applications.reliance.work.places import Pool
from core.applications.reliance.work.texts import Bank


def alone_rows(
    bank: Bank,
    about: Mapping[str, Any],
    best: int,
    whole: Tensor,
    places: Mapping[str, Tensor],
    pool: Pool,
    grid: Sequence[int],
) -> list[dict[str, Any]]:
    """The rows of the table `alone` for one image `(embedding,)`: every class, less the empty image.

    `places` has the unit embedding `(embedding,)` of each place shown by itself.
    """
    names = [name for name in EDGES if name in places]
    if not names or len(bank.classes) < 2:
        return []
    empty = pool.embeddings(torch.zeros(1, *grid, dtype=torch.bool))[0]
    shown = torch.stack([whole, *(places[name] for name in names)]) - empty
    total, *scores = (shown @ bank.class_directions.T).double().cpu().tolist()
    return [
        {**about, "text": text, "best": at == best, "place": name, "shown": score[at], "total": total[at]}
        for name, score in zip(names, scores, strict=True)
        for at, text in enumerate(bank.classes)
    ]
