"""Comprehensiveness and sufficiency over words (ERASER: DeYoung et al., ACL 2020), from the text's word pool.

Does the score fall when a text loses the words that a method calls important, and does it stay when they are all that
is left? Sets of words are embedded once, whichever method, image or measure asks for them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.models.word_pool import WordPool
from core.runs.parts import WORD_SHARES


@dataclass(frozen=True)
class WordFaithfulness:
    """In units of the cosine, means over `WORD_SHARES`.

    comprehensiveness: s(t) - s(t without its best words); higher is better. sufficiency: s(t) - s(its best words
    alone); lower is better.
    """

    comprehensiveness: float
    sufficiency: float


def word_faithfulness(pool: WordPool, image: Tensor, orders: Mapping[str, NDArray[Any]]) -> dict[str, WordFaithfulness]:
    """Both measures for the values `(words,)` of each name, with one image's unit embedding `(embedding,)`.

    Left out are constant values, which are no order, and everything for texts of one word, of which nothing is left.
    """
    count = len(pool.words)
    plans = {name: _sets(np.asarray(values, dtype=float)) for name, values in orders.items() if _ordered(values, count)}
    if not plans:
        return {}
    whole = torch.ones(1, count, dtype=torch.bool)
    kept = torch.cat([whole, *(torch.from_numpy(sets) for sets in plans.values())])
    scores = (pool.embeddings(kept).to(image.device) @ image).double().cpu().numpy()
    found, first = {}, 1
    for name, sets in plans.items():
        falls = scores[0] - scores[first : first + len(sets)]
        first += len(sets)
        half = len(sets) // 2
        found[name] = WordFaithfulness(float(falls[:half].mean()), float(falls[half:].mean()))
    return found


def _ordered(values: NDArray[Any], count: int) -> bool:
    return count > 1 and len(values) == count and bool(np.isfinite(values).all()) and np.ptp(values) > 0


def _sets(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The words that stay, without the best ones and then with the best ones alone, `(2 x shares, words)`."""
    count = len(values)
    # Ties fall in a fixed random order: reading order would favour the first words.
    order = np.lexsort((np.random.default_rng(0).permutation(count), -values))
    best = np.zeros((len(WORD_SHARES), count), dtype=bool)
    for row, share in enumerate(WORD_SHARES):
        best[row, order[: min(math.ceil(share * count), count - 1)]] = True
    return np.concatenate([~best, best])
