"""M2IB as released: every step runs both full encoders on copies of the pair, with gradients for all weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.release.towers import encoded, image_blocks, text_blocks
from core.models.model import Model

START = 5.0
Noise = Callable[[tuple[int, ...]], Tensor]
Prior = tuple[Tensor, Tensor]


class Bottleneck:
    """A hook that lets a share of a block's output through and fills the rest up with noise."""

    def __init__(self, noise: Noise, prior: Prior | None) -> None:
        self.noise, self.prior = noise, prior
        self.logits: Tensor | None = None
        self.information: Tensor = torch.zeros(())

    def __call__(self, module: Any, given: Any, out: Any) -> Any:
        """The output with its state `(samples, ...)` mixed; `information` keeps the KL in nats, elementwise."""
        state = out[0] if isinstance(out, tuple) else out
        if self.logits is None:
            self.logits = torch.full_like(state[:1].detach(), START).requires_grad_()
        share = torch.sigmoid(self.logits)
        mean, spread = self.prior if self.prior is not None else (torch.zeros(()), torch.ones(()))
        centred = (state - mean) / spread
        self.information = 0.5 * ((share * centred) ** 2 + (1 - share) ** 2 - 2 * torch.log(1 - share) - 1)
        noise = mean + spread * self.noise(tuple(state.shape)).to(state)
        mixed = share * state + (1 - share) * noise
        return (mixed, *out[1:]) if isinstance(out, tuple) else mixed


def literal(
    model: Model,
    pixels: Tensor,
    text: str,
    noise: Noise,
    *,
    side: str,
    layer: int,
    prior: Prior | None = None,
    steps: int = 10,
    samples: int = 10,
    beta: float = 0.1,
    lr: float = 1.0,
) -> Tensor:
    """Nats kept of one pair: `(places,)` of `pixels` (1, 3, height, width), or `(tokens,)` of `text`.

    `layer` is the block (from 0) of the tower `side` behind which the bottleneck sits. `prior` is the mean and spread
    of what replaces a state, for convolutional towers, which the release doesn't serve.
    """
    ids = model.text.tokenize([text]).to(pixels.device).expand(samples, -1)
    copies = pixels.expand(samples, -1, -1, -1)
    bottleneck = Bottleneck(noise, prior)
    block = (image_blocks if side == "image" else text_blocks)(model)[layer]
    hook = block.register_forward_hook(bottleneck)
    # The release leaves every weight trainable, so each step also computes the gradients of both encoders' weights.
    model.net.requires_grad_(True)
    try:
        optimiser: torch.optim.Optimizer | None = None
        for _ in range(steps):
            images, texts = model.image.plain(copies), encoded(model, ids)
            similarity = F.cosine_similarity(images, texts, dim=-1, eps=1e-6).mean()
            loss = beta * bottleneck.information.mean() - similarity
            assert bottleneck.logits is not None
            optimiser = optimiser or torch.optim.Adam([bottleneck.logits], lr=lr)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    finally:
        hook.remove()
        model.net.zero_grad(set_to_none=True)
        model.net.requires_grad_(False)
    kept = bottleneck.information[0].detach()
    if side == "text":
        return kept.nansum(dim=-1)
    if model.image.layout == "maps":
        return kept.nansum(dim=0).flatten()
    return kept.nansum(dim=-1)[model.image.prefix_tokens :]
