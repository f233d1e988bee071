"""What a piece of work asks of a tower, counted in two ways that don't depend on whose code it is.

`forwards` follows Loupe's convention: passes through the library's blocks, seen by hooks, where a gradient that comes
back counts twice its block. `operations` are the multiplications and additions of matrix products, convolutions and
attention that really ran, forwards and back, over those of one plain forward. A gradient that leaves the weights out
costs one forward and not two; work beside the blocks is seen too.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from benchmarks.release.towers import counting
from core.models.model import Model


@dataclass
class Done:
    """Forward-equivalents of the image tower: `hooked` by hooks, `metered` by the model's meter, `operations` by count.

    Both of the last two hold everything; hooks miss blocks that a package or Loupe takes apart.
    """

    hooked: float = 0.0
    metered: float = 0.0
    operations: float = 0.0


@contextmanager
def counted(model: Model, pixels: Tensor) -> Iterator[Done]:
    """Counts while the block runs. `pixels` `(1, 3, height, width)` are the image whose plain forward is 1."""
    done, each = Done(), forward_operations(model, pixels)
    with counting(model) as hooked, model.meter.measuring() as metered, _operations() as seen:
        yield done
    done.hooked, done.metered, done.operations = hooked.image, metered.image, seen.total / each


def forward_operations(model: Model, pixels: Tensor) -> int:
    """Operations of one plain forward of one image."""
    with _operations() as seen, torch.no_grad():
        model.image.plain(pixels[:1])
    return seen.total


class _Operations(TorchDispatchMode):
    """Adds up what the library's own formulas say of every product that runs, whoever calls it.

    The library's counter also follows modules by hooks on their inputs, which gradients of chosen inputs don't allow.
    """

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        formula = flop_registry.get(func._overloadpacket)
        if formula is None:
            with self:
                parts = func.decompose(*args, **kwargs)
            return func(*args, **kwargs) if parts is NotImplemented else parts
        out = func(*args, **kwargs)
        self.total += formula(*args, **kwargs, out_val=out)
        return out


@contextmanager
def _operations() -> Iterator[_Operations]:
    # Fused kernels hide their products: without them every product is seen by itself.
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH), _Operations() as seen:
            yield seen
    finally:
        torch.backends.mha.set_fastpath_enabled(before)
