"""Semantic priors: Shapley values of the regions that the model itself sees in an image.

Cafagna, Rojas-Barahona, van Deemter, Gatt: Interpreting vision and language generative models with semantic visual
priors, Frontiers in Artificial Intelligence 6:1220476, 2023. The coalitions of regions do not depend on the text: they
are embedded once, and every text is one more right-hand side.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from core.attribution.contract import Work
from core.attribution.regions import Regions, regions_of, released_regions
from core.attribution.shapley import Coalitions, coalitions_for, intercept_values, ordered_coalitions, shapley_values
from core.methods.regional import SemanticPriorsOptions
from core.models.coalitions import embed_coalitions
from core.models.model import Model


@dataclass(frozen=True)
class Game:
    """The regions of one image, its coalitions and their unit embeddings `(coalitions, embedding)`."""

    regions: Regions
    coalitions: Coalitions
    embeddings: Tensor


def attribute_image(work: Work, options: SemanticPriorsOptions) -> Tensor:
    """Maps `(images, texts, rows, columns)`: at each cell the Shapley value of its region.

    Where a cell belongs to several regions in part, the values are added by their shares.
    """
    maps = []
    for index in range(len(work.images)):
        game = game_of(work, index, options)
        values = coalition_values(work.model, game.embeddings, work.texts.embeddings, options)
        solve = intercept_values if options.paper_exact else shapley_values
        maps.append(game.regions.spread(solve(game.coalitions, values)).float())
    return torch.stack(maps)


def game_of(work: Work, index: int, options: SemanticPriorsOptions) -> Game:
    """The game of one image; computed once for all texts and value functions of `work`."""
    part = (options.regions, options.count, options.budget, options.removal, options.paper_exact)
    key = ("semantic_priors", work.image_keys[index], *part)
    if key not in work.pools:
        work.pools[key] = _released(work, index, options) if options.paper_exact else _game(work, index, options)
    return work.pools[key]


def coalition_values(model: Model, embeddings: Tensor, texts: Tensor, options: SemanticPriorsOptions) -> Tensor:
    """The value `(coalitions, texts)` of each coalition for each text `(texts, embedding)`, float64.

    similarity: the cosine of the masked image and the text. caption_soft and caption_best: the masked image is
    described by the captions of the bank, and the value is the cosine of that description's meaning and the text.
    """
    if options.value == "similarity":
        return (embeddings @ texts.T).double().cpu()
    bank = model.embed_texts(list(options.bank))
    scale = model.logit_scale if options.scale is None else options.scale
    meaning = described(embeddings, bank, scale, best=options.value == "caption_best")
    return (meaning @ texts.T).double().cpu()


def described(embeddings: Tensor, bank: Tensor, scale: float, *, best: bool = False) -> Tensor:
    """Unit meanings `(coalitions, embedding)` of what a bank of captions says of each embedded image.

    The mean of the captions weighted by the softmax of their scaled cosines, or the best caption alone.
    """
    cosines = embeddings @ bank.T
    if best:
        return bank[cosines.argmax(dim=1)]
    return F.normalize((scale * cosines).softmax(dim=1) @ bank, dim=-1)


def _game(work: Work, index: int, options: SemanticPriorsOptions) -> Game:
    return played(work, index, regions_of(work, index, options.regions, options.count), options)


def played(work: Work, index: int, regions: Regions, options: SemanticPriorsOptions) -> Game:
    """The game of one image over given regions, with the budget and the removal of `options`."""
    generator = work.generator("semantic_priors", work.image_keys[index], len(regions), options.budget)
    coalitions = coalitions_for(len(regions), options.budget, generator)
    pixels = work.images.pixels[index]
    masks = regions.visible(coalitions.rows)
    return Game(regions, coalitions, embed_coalitions(work.model, pixels, masks, options.removal))


def _released(work: Work, index: int, options: SemanticPriorsOptions) -> Game:
    regions = released_regions(work, index, options.count)
    coalitions = ordered_coalitions(len(regions), options.budget)
    # The release shows the whole image for the empty coalition.
    shown = replace(coalitions, rows=coalitions.rows.clone())
    shown.rows[0] = True
    masks = regions.visible(shown.rows)
    return Game(regions, coalitions, embed_coalitions(work.model, work.images.pixels[index], masks, "black"))
