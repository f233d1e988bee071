"""Gradients of many scores through one graph."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from core.settings import byte_budget

# A block's backward keeps about a dozen tensors as large as its inputs.
KEPT = 12


def score_gradients(unit: Tensor, directions: Tensor, inputs: Sequence[Tensor], *, kept: int = KEPT) -> list[Tensor]:
    """For each direction t the gradient of `unit . t` with respect to each input.

    `unit` is `(batch, embedding)`, `directions` `(texts, embedding)`; rows of the batch are independent. Returns for
    each input `(texts, batch, ...)`. One graph serves all texts; it is walked for as many texts at a time as the byte
    budget allows, where the walk of one text keeps `kept` times the size of the inputs.
    """
    size = sum(value.numel() * value.element_size() for value in inputs)
    step = max(1, min(len(directions), byte_budget() // (kept * size + 1)))
    pieces: list[list[Tensor]] = []
    for start in range(0, len(directions), step):
        some = directions[start : start + step]
        seeds = some[:, None].expand(-1, len(unit), -1)
        last = start + step >= len(directions)
        pieces.append(list(torch.autograd.grad(unit, inputs, seeds, is_grads_batched=True, retain_graph=not last)))
    return [torch.cat([piece[index] for piece in pieces]) for index in range(len(inputs))]
