"""AttnLRP: the cosine taken apart layer by layer (Achtibat et al., ICML 2024, arXiv:2402.05602), as input x gradient.

With the rules of `core.attribution.relevance` the relevance of a token is its state times the changed gradient, summed
over channels. Over all tokens, biases, positions and what the softmax keeps, relevance sums to the cosine.
"""

from __future__ import annotations

import torch
from torch import Tensor

from core.attribution.contract import Work
from core.attribution.gradients import score_gradients
from core.attribution.pixels import image_chunks
from core.attribution.relevance import RelevanceRules, check_rules, relevant_block, unit
from core.errors import InputError
from core.methods.gradient import AttnLrpOptions


def attribute_image(work: Work, options: AttnLrpOptions) -> Tensor:
    """Signed maps `(images, texts, rows, columns)` in units of the cosine, of the tokens that enter `layer`."""
    tower = work.model.image
    start = _start(options.layer, tower.depth, "image")
    check_rules(tower.module, work.model.title)
    found = []
    for part in image_chunks(work, len(work.images)):
        leaf = work.images.entering(start)[part].detach().clone().requires_grad_()
        with RelevanceRules():
            state = leaf
            for index in range(start, tower.depth):
                state = relevant_block(tower.blocks[index], state)  # type: ignore[attr-defined]
            score = unit(tower.leave(state))
        (gradient,) = score_gradients(score, work.texts.embeddings, [leaf])
        found.append((gradient * leaf.detach()).sum(dim=-1).transpose(0, 1))
    work.model.meter.image += (tower.depth - start) / tower.depth * len(work.images) * (1 + 2 * len(work.texts))
    return torch.cat(found)[..., tower.prefix_tokens :].unflatten(-1, work.images.grid())


def attribute_text(work: Work, options: AttnLrpOptions) -> Tensor:
    """Signed values `(images, texts, tokens)` in units of the cosine, special tokens included."""
    tower, texts = work.model.text, work.texts
    start = _start(options.layer, tower.depth, "text")
    for block in tower.blocks:
        check_rules(block.module, work.model.title)
    leaf = texts.entering(start).detach().clone().requires_grad_()
    with RelevanceRules():
        state = leaf
        for index in range(start, tower.depth):
            state = relevant_block(tower.blocks[index], state, texts.mask)
        score = unit(tower.leave(state, texts.ids))
    (gradient,) = score_gradients(score, work.images.embeddings, [leaf])
    work.model.meter.text += (tower.depth - start) / tower.depth * len(texts) * (1 + 2 * len(work.images))
    return (gradient * leaf.detach()).sum(dim=-1)


def _start(layer: int, depth: int, side: str) -> int:
    start = layer + depth if layer < 0 else layer
    if not 0 <= start < depth:
        raise InputError(f"attnlrp: layer must be a block of the {side} side, 0 to {depth - 1}, not {layer}")
    return start
