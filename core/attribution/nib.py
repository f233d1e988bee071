"""NIB: the deterministic partner of M2IB (Zhu et al., narrowing information bottleneck, ICLR 2025).

The state h that enters a block is scaled from 0 to itself; the attribution of an element is h times the mean gradient
of the similarity along the way:  a = h * (1/n) sum_i  grad cos(tail(h i/n), target),  i = 1..n, summed over channels.
No noise and no seed. Summed over every token, a is the Riemann sum of cos(tail(h)) - cos(tail(0)).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from core.attribution.contract import Work
from core.attribution.gradients import score_gradients
from core.errors import InputError
from core.methods.bottleneck import NibOptions, block_of, layer_of, nib_misfit
from core.methods.info import Side


def attribute_image(work: Work, options: NibOptions) -> Tensor:
    """Signed maps `(images, texts, rows, columns)` on the grid of the block that is read, in units of the cosine."""
    tower = work.model.image
    block = entering(layer_of(options, "image"), tower.depth, "image")
    state = work.images.entering(block).detach()
    total = state.new_zeros(len(work.texts), *state.shape)
    for step in range(1, options.steps + 1):
        scaled = (state * (step / options.steps)).requires_grad_()
        with torch.enable_grad():
            unit = F.normalize(tower.leave(tower.run(scaled, block)), dim=-1)
        (gradient,) = score_gradients(unit, work.texts.embeddings, [scaled])
        total += gradient
        work.model.meter.image += (tower.depth - block) / tower.depth * len(work.images) * (1 + 2 * len(work.texts))
    kept = total / options.steps * state
    if tower.layout == "maps":
        grid = (int(state.shape[-2]), int(state.shape[-1]))
        maps = kept.sum(dim=2).flatten(2)
    else:
        grid = work.images.grid(block)
        maps = kept.sum(dim=-1)[:, :, tower.prefix_tokens :]
    return maps.transpose(0, 1).unflatten(-1, grid)


def attribute_text(work: Work, options: NibOptions) -> Tensor:
    """Signed values `(images, texts, tokens)`, special tokens included, in units of the cosine."""
    tower, texts = work.model.text, work.texts
    block = entering(layer_of(options, "text"), tower.depth, "text")
    width = texts.ids.shape[1]
    per_text = []
    for text in range(len(texts)):
        ids = texts.own_ids(text)
        state, mask = tower.enter(ids)
        state = tower.run(state, mask, 0, block).detach()
        total = state.new_zeros(len(work.images), *state.shape)
        for step in range(1, options.steps + 1):
            scaled = (state * (step / options.steps)).requires_grad_()
            with torch.enable_grad():
                unit = F.normalize(tower.leave(tower.run(scaled, mask, block), ids), dim=-1)
            (gradient,) = score_gradients(unit, work.images.embeddings, [scaled])
            total += gradient
            work.model.meter.text += (tower.depth - block) / tower.depth * (1 + 2 * len(work.images))
        values = (total / options.steps * state).sum(dim=-1)[:, 0]
        per_text.append(F.pad(values, (0, width - values.shape[1])))
    return torch.stack(per_text, dim=1)


def entering(layer: int | None, depth: int, side: Side) -> int:
    """The block whose input is read. Raises `InputError` if there is none."""
    reason = nib_misfit(layer, depth, side)
    if reason is not None:
        raise InputError(f"nib: {reason}")
    return block_of(layer, depth)
