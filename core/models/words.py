"""From tokens to words: which tokens of a text make up one word, by the marks of its tokenizer. No torch.

Byte-pair vocabularies of CLIP mark where a word ends (`</w>`), BERT's mark what continues one (`##`), sentencepiece and
byte-level ones mark where one starts (a low line, a G with a dot). Signs of punctuation are words of their own; what
follows an apostrophe belongs to the word before it. Languages written without spaces come out as tokens or whole
sentences, as their tokenizer has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

    from core.models.towers.text import TextTower
    from core.models.trunk import TextTrunk

Word = tuple[str, tuple[int, ...]]

STARTS = ("\u2581", "\u0120")
CONTINUES = "##"
ENDS = "</w>"
APOSTROPHES = ("'", "\u2019")
# Whether a tokenizer's vocabulary marks starts of words.
_starts: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()


def word_groups(tower: TextTower, ids: Tensor) -> list[Word]:
    """The words of one row of ids, each with the positions of its tokens in that row; special tokens are in none.

    Empty for a tower whose tokens are not known.
    """
    positions, _ = tower.content(ids)
    if not positions:
        return []
    marked = _marked(tower.tokenizer, [int(ids[position]) for position in positions])
    groups: list[list[int]] = []
    for at, (piece, new) in enumerate(zip(marked, _begins(tower.tokenizer, marked), strict=True)):
        if new and not (groups and _contraction(piece)):
            groups.append([at])
        else:
            groups[-1].append(at)
    return [
        (_written(tower.tokenizer, [marked[at] for at in group]), tuple(positions[at] for at in group))
        for group in groups
    ]


def text_words(texts: TextTrunk) -> list[list[Word]]:
    """For each text its words, each with the numbers of its pieces in `texts.content` (special tokens left out)."""
    found = []
    for row, (positions, _) in zip(texts.ids, texts.content, strict=True):
        number = {position: at for at, position in enumerate(positions)}
        found.append(
            [(word, tuple(number[place] for place in places)) for word, places in word_groups(texts.model.text, row)]
        )
    return found


def sum_words(values: NDArray[Any], words: Sequence[Word]) -> NDArray[Any]:
    """Values of tokens `(..., tokens)` summed over each word `(..., words)`; `words` number the tokens."""
    values = np.asarray(values)
    found = np.zeros((*values.shape[:-1], len(words)), dtype=values.dtype)
    for at, (_, tokens) in enumerate(words):
        found[..., at] = values[..., list(tokens)].sum(axis=-1)
    return found


def _marked(tokenizer: Any, ids: list[int]) -> list[str]:
    """The pieces with their marks."""
    if hasattr(tokenizer, "byte_decoder"):
        return [str(tokenizer.decoder[token]) for token in ids]
    return [str(piece) for piece in tokenizer.tokenizer.convert_ids_to_tokens(ids)]


def _begins(tokenizer: Any, marked: list[str]) -> list[bool]:
    """Whether each piece begins a word. The first always does."""
    if hasattr(tokenizer, "byte_decoder") or any(piece.endswith(ENDS) for piece in marked):
        return [True, *(piece.endswith(ENDS) for piece in marked[:-1])]
    if not _marks_starts(tokenizer.tokenizer):
        return [at == 0 or not piece.startswith(CONTINUES) for at, piece in enumerate(marked)]
    found = [True]
    for before, piece in pairwise(marked):
        found.append(piece.startswith(STARTS) or _sign(piece) or _sign(before))
    return found


def _marks_starts(inner: Any) -> bool:
    if inner not in _starts:
        _starts[inner] = any(piece.startswith(STARTS) for piece in inner.get_vocab())
    return _starts[inner]


def _sign(piece: str) -> bool:
    """Whether a piece of a vocabulary that marks starts is a sign of punctuation; apostrophes stand inside words."""
    bare = piece.lstrip("".join(STARTS))
    return bool(bare) and bare.isascii() and not any(c.isalnum() or c in APOSTROPHES for c in bare)


def _contraction(piece: str) -> bool:
    bare = piece.removesuffix(ENDS)
    return bare.startswith(APOSTROPHES) and len(bare) > 1 and bare[1:].isalpha()


def _written(tokenizer: Any, pieces: list[str]) -> str:
    if hasattr(tokenizer, "byte_decoder"):
        raw = "".join(piece.removesuffix(ENDS) for piece in pieces)
        return bytearray(tokenizer.byte_decoder[letter] for letter in raw).decode("utf-8", errors="replace")
    whole = str(tokenizer.tokenizer.convert_tokens_to_string(pieces)).strip()
    return whole.removeprefix(CONTINUES) if len(whole) > len(CONTINUES) else whole
