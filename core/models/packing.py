"""Weights stored small: matrices as int8 with one scale a row, the rest as fp16; widened to fp32 when loaded."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from core.errors import ModelError
from core.models.weights_header import SCALE

__all__ = ["SCALE", "load_packed", "pack", "save_packed", "unpack"]


def pack(state: dict[str, Tensor], narrow: tuple[str, ...]) -> dict[str, Tensor]:
    """The state as stored: matrices whose name starts with one of `narrow` as int8 rows and fp32 scales, others fp16.

    Integer tensors are kept as they are. The error of a narrowed entry is at most half a step, 1/254 of the row's
    largest magnitude.
    """
    out: dict[str, Tensor] = {}
    for name, value in state.items():
        if not value.is_floating_point():
            out[name] = value.contiguous()
        elif value.ndim == 2 and name.startswith(narrow):
            scale = value.float().abs().amax(dim=1, keepdim=True).clamp_min(1e-12) / 127.0
            out[name] = torch.round(value.float() / scale).to(torch.int8).contiguous()
            out[name + SCALE] = scale.contiguous()
        else:
            out[name] = value.half().contiguous()
    return out


def unpack(stored: dict[str, Tensor], file: str = "the packed file") -> dict[str, Tensor]:
    """The inverse of `pack`, in fp32. Ordinary states pass through, widened.

    Raises `ModelError`, whose line begins with `file`, for a scale that does not fit its tensor or is not above zero.
    """
    out: dict[str, Tensor] = {}
    for name, value in stored.items():
        if name.endswith(SCALE):
            _check_scale(file, name, value, stored.get(name.removesuffix(SCALE)))
            continue
        scale = stored.get(name + SCALE)
        if scale is not None:
            out[name] = value.float() * scale
        else:
            out[name] = value.float() if value.is_floating_point() else value
    return out


def save_packed(state: dict[str, Tensor], path: Path, narrow: tuple[str, ...]) -> None:
    """Write a packed state as safetensors."""
    save_file(pack(state, narrow), str(path), metadata={"format": "pt", "loupe": "packed-1"})


def load_packed(path: Path) -> dict[str, Tensor]:
    """Read a packed (or ordinary) safetensors state in fp32."""
    return unpack(load_file(str(path)))


def _check_scale(file: str, name: str, scale: Tensor, narrowed: Tensor | None) -> None:
    if narrowed is None or narrowed.dtype != torch.int8:
        raise ModelError(f"{file} contains {name!r} without the int8 tensor that it scales; pack them again")
    if not scale.is_floating_point() or narrowed.ndim != 2 or scale.shape != (len(narrowed), 1):
        raise ModelError(f"{file} contains {name!r} with a shape other than one number per row; pack them again")
    if not bool(torch.isfinite(scale).all()) or not bool((scale > 0).all()):
        raise ModelError(f"{file} contains {name!r} with entries that are not positive; pack them again")
