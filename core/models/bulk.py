"""A faster network for forwards without gradient, used only if it gives the same embeddings.

Convolutional trunks: batch norm is folded into the convolutions and memory is laid out channels-last, about twice as
fast on a CPU. The copy must pass a fidelity gate, otherwise the plain network is used.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.models.image_tower import ImageTower, TimmCnn

Forward = Callable[[Tensor], Tensor]
LEAST_COSINE = 0.99999


class Bulk:
    """The forward for many pictures. `tower` stays untouched.

    The gate uses fixed pictures of `size` (height, width), so that which form is used never depends on the order of
    work.
    """

    def __init__(self, tower: ImageTower, size: tuple[int, int], device: torch.device) -> None:
        self._forward: Forward = tower.plain
        self.why_plain: str | None = "no faster form is known for this tower"
        if isinstance(tower, TimmCnn):
            fast = _fast(tower)
            probe = _probe(size).to(device)
            with torch.no_grad():
                cosine = float(F.cosine_similarity(fast(probe), tower.plain(probe)).min())
            if cosine >= LEAST_COSINE:
                self._forward, self.why_plain = fast, None
            else:
                self.why_plain = f"the faster form reaches a cosine of only {cosine:.6f}"

    def __call__(self, pixels: Tensor) -> Tensor:
        """Embeddings `(images, embedding)`, not normalised. No gradient is recorded."""
        with torch.no_grad():
            return self._forward(pixels)


def _probe(size: tuple[int, int]) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(4, 3, 7, 7, generator=generator)
    smooth = F.interpolate(coarse, size=size, mode="bicubic", align_corners=False)
    return smooth + 0.1 * torch.randn(smooth.shape, generator=generator)


def folded(module: nn.Module) -> nn.Module:
    """A copy of a convolutional network with batch norm folded in and weights laid out channels-last."""
    network = copy.deepcopy(module)
    _fold(network)
    return network.to(memory_format=torch.channels_last)


def _fast(tower: TimmCnn) -> Forward:
    network = folded(tower.module)

    def forward(pixels: Tensor) -> Tensor:
        return network(pixels.contiguous(memory_format=torch.channels_last))

    return forward


def _fold(module: nn.Module) -> None:
    previous: nn.Conv2d | None = None
    for name, child in list(module.named_children()):
        if isinstance(child, nn.BatchNorm2d) and isinstance(previous, nn.Conv2d):
            _fold_pair(previous, child)
            # timm's BatchNormAct2d carries its activation; a plain one has none.
            after = [part for part in (getattr(child, "drop", None), getattr(child, "act", None)) if part is not None]
            setattr(module, name, nn.Sequential(*after))
            previous = None
        else:
            previous = child if isinstance(child, nn.Conv2d) else None
            _fold(child)


def _fold_pair(convolution: nn.Conv2d, norm: Any) -> None:
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    bias = convolution.bias if convolution.bias is not None else torch.zeros_like(norm.running_mean)
    convolution.weight = nn.Parameter(convolution.weight * scale[:, None, None, None], requires_grad=False)
    convolution.bias = nn.Parameter((bias - norm.running_mean) * scale + norm.bias, requires_grad=False)
