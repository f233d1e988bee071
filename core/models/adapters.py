"""LoRA adapters: a folder of two small matrices for each of some weights, merged into those of a base model.

Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", ICLR 2022, equation 3: W + (alpha / r) B A. The layout
is that of the library peft. What it offers beyond that (DoRA, embeddings, convolutions, biases) is refused by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from core.errors import ModelError
from core.models import kinds
from core.models.adapter_config import CONFIG, read_adapter
from core.models.weights import Weights, opened_weights

_FILES = ("adapter_model.safetensors", "adapter_model.bin")
_A, _B = ".lora_A.weight", ".lora_B.weight"


@dataclass(frozen=True)
class Adapted(Weights):
    """The weights of a base with an adapter merged in; names, shapes and the hash are those of the base."""

    adapter: Weights | None = None
    scale: float = 1.0

    def state(self) -> dict[str, Tensor]:
        """The merged state, floats in fp32. Raises `ModelError` for an adapter that does not fit the base."""
        assert self.adapter is not None
        return merged(super().state(), self.adapter.state(), self.scale, self.adapter.name)


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter rather than a model."""
    return (folder / CONFIG).is_file()


@contextmanager
def opened_adapter(base: Path, folder: Path) -> Iterator[Weights]:
    """The weights at `base` with the adapter in `folder` merged in, usable inside the block.

    Raises `ModelError` in one line.
    """
    rank, scale = read_adapter(folder)
    files = [folder / file for file in _FILES if (folder / file).is_file()]
    if not files:
        raise ModelError(f"beside {kinds.shown_path(folder / CONFIG)} lies no {' or '.join(_FILES)}; copy it there")
    with opened_weights(base) as weights, opened_weights(files[0]) as adapter:
        note = (
            f"A LoRA adapter of rank {rank} was merged with the factor {scale:.6g}; the SHA-256 of "
            f"its file is {adapter.sha256()}."
        )
        yield Adapted(
            weights.path,
            weights.name,
            weights.parts,
            weights.files,
            weights.entries,
            (*weights.notes, *adapter.notes, note),
            adapter,
            scale,
        )


def merged(base: dict[str, Tensor], adapter: dict[str, Tensor], scale: float, name: str) -> dict[str, Tensor]:
    """`base` with `scale` B A added to each weight that the adapter names. Raises `ModelError` if one does not fit."""
    made = dict(base)
    for key in sorted(adapter):
        if key.endswith(_B) and key.removesuffix(_B) + _A in adapter:
            continue
        if not key.endswith(_A) or key.removesuffix(_A) + _B not in adapter:
            raise ModelError(f"{name} contains {kinds.shown(key)}, which is not one of a pair lora_A and lora_B")
        stem = key.removesuffix(_A)
        target = _target(stem, base)
        down, up = adapter[key], adapter[stem + _B]
        if target is None:
            raise ModelError(
                f"{name} adapts {kinds.shown(stem)}, which the base model does not have; name its own base"
            )
        weight = made[target]
        fits = weight.ndim == down.ndim == up.ndim == 2 and up.shape[1] == down.shape[0]
        if not fits or tuple(weight.shape) != (up.shape[0], down.shape[1]):
            raise ModelError(f"{name} adapts {kinds.shown(stem)} with matrices of other shapes than the base model has")
        made[target] = weight.float() + scale * (up.float() @ down.float())
    return made


def _target(stem: str, base: dict[str, Tensor]) -> str | None:
    """The base's name of an adapted weight: peft puts a prefix before it."""
    for prefix in ("base_model.model.", "base_model.", ""):
        target = f"{stem.removeprefix(prefix)}.weight"
        if stem.startswith(prefix) and target in base:
            return target
    return None
