"""What a call may leave behind in a model: weights, modules, gradients, embeddings, the caller's random numbers."""

from __future__ import annotations

from typing import Any

import torch

from benchmarks.support.tiny import TEXTS
from core.models.model import Model, state_digest


def trace(model: Model) -> tuple[Any, ...]:
    """Equal before and after a call that left nothing behind; made of bytes, so that no tolerance hides a change."""
    parts = list(model.net.modules())
    height, width = model.preprocessing.height, model.preprocessing.width
    with torch.no_grad():
        image = model.net.encode_image(torch.sin(torch.arange(3.0 * height * width)).reshape(1, 3, height, width))
        words = model.net.encode_text(model.text.tokenizer(list(TEXTS)))
    return (
        state_digest(model.net),
        [type(part) for part in parts],
        [(len(part._forward_hooks), len(part._forward_pre_hooks), len(part._backward_hooks)) for part in parts],
        [sorted(vars(part)) for part in parts],
        [part.training for part in parts],
        [(value.requires_grad, value.grad is None) for value in model.net.parameters()],
        image.numpy().tobytes(),
        words.numpy().tobytes(),
        torch.get_rng_state().numpy().tobytes(),
        (torch.is_grad_enabled(), torch.get_default_dtype()),
    )
