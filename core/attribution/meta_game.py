"""MetaGame: which word of a text each part of a map is owed to (hierarchical Shapley values, preprint of 2026).

For every cell the words play a game: the value of a set of words is the map's value there when only they are left of
the text. Their Shapley values are one map a word, and these sum to the map (hierarchical efficiency). A map that is
linear in the text's embedding needs no game of its own: the words play once over the embedding, and the map of each
word's share of the embedding is the word's map, at no further cost on the image. Other maps are computed for every
coalition, on the shared states of the image.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor

from core.attribution.contract import Measured, Work
from core.attribution.registry import method_module
from core.attribution.shapley import shapley_values
from core.attribution.word_games import word_coalitions, word_pool
from core.errors import CapabilityError, InputError
from core.models.model import Model
from core.models.trunk import TextTrunk

LINEAR = frozenset({"raw", "maskclip", "sclip", "clearclip", "naclip", "gem", "resclip", "sc_clip", "clip_prs"})
# Coalitions of words: those of a linear map cost a text forward each, the others a map each.
BUDGET = {True: 1024, False: 64}


@dataclass(frozen=True)
class WordMaps:
    """The map of one text for every image, shared among its words.

    maps: `(images, words, rows, columns)`, in the method's unit. rest: `(images, rows, columns)`, the map of the text
    without any word; 0 if it was shared. words: what the maps belong to. exact: whether every set of words was asked;
    otherwise the maps are estimates, which sum all the same.
    """

    words: list[str]
    maps: Tensor
    rest: Tensor
    exact: bool

    @property
    def whole(self) -> Tensor:
        """The method's own map `(images, rows, columns)`: all words and the rest."""
        return self.maps.sum(dim=1) + self.rest

    @property
    def shares(self) -> Tensor:
        """Each word's share of the maps' mass, `(images, words)`: the sums of absolute values, summing to 1."""
        mass = self.maps.abs().sum(dim=(2, 3))
        return mass / mass.sum(dim=1, keepdim=True).clamp_min(torch.finfo(mass.dtype).tiny)


def meta_game(
    work: Work,
    method: str,
    options: dict[str, Any] | None = None,
    *,
    budget: int | None = None,
    empty: Literal["apart", "shared"] = "apart",
) -> list[WordMaps]:
    """The maps of each text of `work` by `method` (with its `options`), shared among the text's words.

    `budget` is the most coalitions a text (by default 1024 where the map is linear in the text, otherwise 64). The
    text without words has a map too: it stays apart in `rest`, or is shared evenly by the words, which is the game in
    which no text has no map. Raises `InputError` for a method whose map does not follow from one text's embedding, or
    for texts in templates, and `CapabilityError` for a model that cannot serve it.
    """
    info, module = method_module(method)
    parsed = info.parse(options)
    if "image" not in info.sides:
        raise InputError(f"{method} has no image attribution to distribute among words")
    if info.label_set or info.text_free or "text_words" in info.sides["image"]:
        raise InputError(
            f"the map of {method} does not follow from the embedding of one text, so words cannot share it"
        )
    if work.texts.templates:
        raise InputError("words share the maps of texts without templates; leave the templates out")
    reason = info.reasons(work.model.capabilities)["image"] or _unread(work.model)
    if reason is not None:
        raise CapabilityError(f"{method} cannot be shared among words on {work.model.title}: it {reason}")
    linear = method in LINEAR
    limit = BUDGET[linear] if budget is None else budget
    found = []
    for text in range(len(work.texts)):
        pool = word_pool(work, text)
        if not pool.words:
            raise InputError(f"the text {work.texts.texts[text]!r} has no words among which to distribute a map")
        coalitions = word_coalitions(work, text, limit)
        embeddings = pool.embeddings(coalitions.rows)
        if linear:
            shares = shapley_values(coalitions, embeddings.cpu()).to(embeddings)
            maps = _maps(work, module, parsed, text, torch.cat([shares, embeddings[:1]]))
            each, rest = maps[:, :-1], maps[:, -1]
        else:
            maps = _maps(work, module, parsed, text, embeddings)
            values = shapley_values(coalitions, maps.transpose(0, 1).flatten(1).cpu()).to(maps)
            each = values.unflatten(1, (len(maps), *maps.shape[2:])).transpose(0, 1)
            rest = maps[:, 0]
        if empty == "shared":
            each, rest = each + (rest / len(pool.words))[:, None], torch.zeros_like(rest)
        found.append(WordMaps([word for word, _ in pool.words], each, rest, coalitions.complete))
    return found


class _Directions(TextTrunk):
    """Directions of the joint space in the place of texts, for maps that read nothing else of a text."""

    def __init__(self, model: Model, text: str, directions: Tensor) -> None:
        # One name for all, so that methods that draw by the text draw the same for every coalition.
        super().__init__(model, [text] * len(directions))
        self._directions = directions

    @cached_property
    def embeddings(self) -> Tensor:
        """The directions `(directions, embedding)`, of any length."""
        return self._directions


def _maps(work: Work, module: Any, parsed: Any, text: int, directions: Tensor) -> Tensor:
    aimed = replace(work, texts=_Directions(work.model, work.texts.texts[text], directions))
    with torch.inference_mode(False), torch.enable_grad():
        found = module.attribute_image(aimed, parsed)
    return (found.values if isinstance(found, Measured) else found).detach()


def _unread(model: Model) -> str | None:
    return None if "text_words" in model.capabilities else "needs a model whose texts can be read word by word"
