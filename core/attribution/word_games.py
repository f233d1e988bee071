"""Games over the words of texts, which methods and images share: their pools, their coalitions, and how values of
words are given to tokens.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from core.attribution.contract import Work
from core.attribution.shapley import Coalitions, all_coalitions, coalitions_for
from core.models.word_pool import WordPool
from core.models.words import Word

# Under this key `Work.pools` keeps the pools of all texts; whoever makes many works of one model may share that entry.
WORDS = "words"


def word_pool(work: Work, text: int) -> WordPool:
    """The pool of one text of `work`, shared by everything that uses the same pools."""
    pools = work.pools.setdefault(WORDS, {})
    words = work.texts.texts[text]
    if words not in pools:
        pools[words] = WordPool(work.model, words)
    return pools[words]


def word_coalitions(work: Work, text: int, budget: int) -> Coalitions:
    """All sets of a text's words if at most `budget`, otherwise a sample in pairs of complements by the Shapley kernel.

    A text of more words than `budget` allows for gets as many coalitions as it has words and two.
    """
    count = len(word_pool(work, text).words)
    generator = work.generator("word coalitions", work.texts.texts[text], budget)
    return coalitions_for(count, max(budget, count + 2), generator)


def kept_words(work: Work, text: int, budget: int, keep: float) -> tuple[Tensor, Tensor, bool]:
    """Coalitions `(coalitions, words)` in which each word is kept by itself with chance `keep`, and their weights.

    All sets, weighted by their chance, if there are at most `budget`; otherwise `budget` (or three for each word)
    drawn ones of equal weight. Last, whether they are all sets. Weights are float64 and sum to 1.
    """
    count = len(word_pool(work, text).words)
    if count == 0:
        return torch.zeros(1, 0, dtype=torch.bool), torch.ones(1, dtype=torch.float64), True
    if 2**count <= budget:
        rows = all_coalitions(count).rows
        size = rows.sum(dim=1).double()
        return rows, keep**size * (1 - keep) ** (count - size), True
    drawn = max(budget, 3 * (count + 1))
    generator = work.generator("kept words", work.texts.texts[text], drawn, keep)
    rows = torch.rand(drawn, count, generator=generator) < keep
    return rows, torch.full((drawn,), 1 / drawn, dtype=torch.float64), False


def spread_words(words: Sequence[Word], values: Tensor, width: int) -> Tensor:
    """Values of words `(images, words)` as values of token positions `(images, width)`.

    A word's tokens share its value evenly, so that they sum to it; special tokens and padding have 0.
    """
    found = values.new_zeros(len(values), width)
    for at, (_, places) in enumerate(words):
        found[:, list(places)] = values[:, at, None] / len(places)
    return found
