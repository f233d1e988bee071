"""A faster network for forwards without gradient, used only if it gives the same embeddings.

Convolutional trunks: batch norm is folded into the convolutions and memory is laid out channels-last, about twice as
fast on a CPU. On a GPU (or where `LOUPE_PRECISION=bf16` asks for it) forwards run in bf16. Either must pass a fidelity
gate, otherwise the plain network in fp32 is used. Gradients never come here.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.models.image_tower import ImageTower, TimmCnn
from core.settings import precision

Forward = Callable[[Tensor], Tensor]
LEAST_COSINE = 0.99999
LEAST_REDUCED_COSINE = 0.9999
PROBES, GATE_PROBES = 4, 32


class Bulk:
    """The forward for many images. `tower` stays untouched.

    The gates use fixed images of `size` (height, width), so that which form is used never depends on the order of
    work. `why_plain` and `why_fp32` say why a faster form is not used; `precision` is what forwards run in.
    """

    def __init__(self, tower: ImageTower, size: tuple[int, int], device: torch.device) -> None:
        self._tower, self._device = tower, device
        self._forward: Forward = tower.plain
        self.why_plain: str | None = "no faster form is available for this tower"
        if isinstance(tower, TimmCnn):
            fast = _fast(tower)
            probe = _probe(size, PROBES).to(device)
            with torch.no_grad():
                cosine = float(F.cosine_similarity(fast(probe), tower.plain(probe)).min())
            if cosine >= LEAST_COSINE:
                self._forward, self.why_plain = fast, None
            else:
                self.why_plain = f"the faster form reaches a cosine of only {cosine:.6f}"
        self.precision: Literal["fp32", "bf16"] = "fp32"
        wanted = precision()
        self.why_fp32: str | None = "it was requested" if wanted == "fp32" else "bf16 is automatic only on a GPU"
        if wanted == "bf16" or (wanted == "auto" and device.type == "cuda"):
            self.why_fp32 = self._reduced_differs(_probe(size, GATE_PROBES).to(device))
            self.precision = "fp32" if self.why_fp32 else "bf16"

    def __call__(self, pixels: Tensor) -> Tensor:
        """Embeddings `(images, embedding)` in fp32, not normalised. No gradient is recorded."""
        with torch.no_grad(), self._casting(self.precision):
            return self._forward(pixels).float()

    def tokens(self, state: Tensor, index: Tensor) -> Tensor:
        """Embeddings `(batch, embedding)`, not normalised, of some tokens of a state that enters the first block.

        `state` is `(tokens, width)`, `index` `(batch, kept)`. No gradient is recorded.
        """
        with torch.no_grad(), self._casting(self.precision):
            tower = self._tower.keeping(index)
            return tower.leave(tower.run(state[index], 0)).float()

    def _casting(self, kind: str) -> torch.autocast:
        return torch.autocast(self._device.type, torch.bfloat16, enabled=kind == "bf16")

    def _reduced_differs(self, probe: Tensor) -> str | None:
        """None if bf16 gives the fp32 embeddings and the same nearest probe for each probe, otherwise what differs."""
        found = []
        for kind in ("fp32", "bf16"):
            with torch.no_grad(), self._casting(kind):
                parts = [self._forward(part).float() for part in probe.split(8)]
            found.append(F.normalize(torch.cat(parts), dim=-1))
        exact, reduced = found
        cosine = float((exact * reduced).sum(dim=-1).min())
        alike = exact @ exact.T - 2 * torch.eye(len(exact), device=exact.device)
        same = bool(
            (alike.argmax(dim=1) == (reduced @ exact.T - 2 * torch.eye(len(exact)).to(exact)).argmax(dim=1)).all()
        )
        if cosine < LEAST_REDUCED_COSINE:
            return f"bf16 reaches a cosine of only {cosine:.6f}"
        return None if same else "bf16 changes which probe is nearest"


def _probe(size: tuple[int, int], count: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(count, 3, 7, 7, generator=generator)
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
