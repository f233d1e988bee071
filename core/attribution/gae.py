"""Generic attention explainability (Chefer et al., ICCV 2021, eq. 5 and 6) for image and text towers.

The recursion multiplies blocks, so that it is not homogeneous in the gradient: what is differentiated is the model's
logit, the cosine times its scale, as in the release.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from core.attribution.contract import Work
from core.attribution.gradients import score_gradients
from core.methods.gradient import GaeOptions


def attribute_image(work: Work, options: GaeOptions) -> Tensor:
    """Relevance `(images, texts, rows, columns)` of each place for the token (or mean of tokens) that is read out."""
    tower = work.model.image
    start = tower.depth - 1 if options.start_layer == "last" else 0
    weights: list[Tensor] = []
    state = work.images.entering(start)
    for block in range(start, tower.depth):
        state = tower.block(block, state, _keeper(weights))
    unit = F.normalize(tower.leave(state), dim=-1)
    gradients = score_gradients(unit, _scale(work, options) * work.texts.embeddings, weights)
    share = (tower.depth - start) / tower.depth
    work.model.meter.image += share * len(work.images) * (1 + 2 * len(work.texts))
    flow = relevance(weights, gradients)
    if tower.pooled_token is not None:
        row = flow[:, :, tower.pooled_token]
    else:
        row = flow[:, :, tower.prefix_tokens :].mean(dim=2)
    return row[..., tower.prefix_tokens :].transpose(0, 1).unflatten(-1, work.images.grid())


def attribute_text(work: Work, options: GaeOptions) -> Tensor:
    """Relevance `(images, texts, tokens)` of each position for the position (or mean) that is read out."""
    tower, texts = work.model.text, work.texts
    start = tower.depth - 1 if options.start_layer == "last" else 0
    weights: list[Tensor] = []
    state = texts.entering(start)
    for block in range(start, tower.depth):
        state = tower.block(block, state, texts.mask, _keeper(weights))
    unit = F.normalize(tower.leave(state, texts.ids), dim=-1)
    gradients = score_gradients(unit, _scale(work, options) * work.images.embeddings, weights)
    share = (tower.depth - start) / tower.depth
    work.model.meter.text += share * len(texts) * (1 + 2 * len(work.images))
    flow = relevance(weights, gradients)
    return (tower.readout(texts.ids)[None, :, None] @ flow).squeeze(2)


def relevance(weights: list[Tensor], gradients: list[Tensor]) -> Tensor:
    """The relevance matrix `(directions, batch, tokens, tokens)` less the identity it starts as.

    Each block adds mean over heads of relu(gradient * attention) times R. The identity says nothing of the text; where
    many tokens are read out it would hide the rest under a constant. `weights` are `(batch, heads, tokens, tokens)`,
    `gradients` `(directions, batch, heads, tokens, tokens)`.
    """
    flow = torch.zeros_like(gradients[0][:, :, 0])
    for attention, gradient in zip(weights, gradients, strict=True):
        step = (gradient * attention.detach()).relu().mean(dim=2)
        flow = flow + step + step @ flow
    return flow


def _scale(work: Work, options: GaeOptions) -> float:
    return work.model.logit_scale if options.scale is None else options.scale


def _keeper(kept: list[Tensor]):  # type: ignore[no-untyped-def]
    def attend(weights: Tensor) -> Tensor:
        # The first block's weights have no graph behind them: they become its leaf.
        weights = weights if weights.requires_grad else weights.detach().requires_grad_()
        kept.append(weights)
        return weights

    return attend
