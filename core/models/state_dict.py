"""A `.pt` state dict, read in a child that may do nothing but read it, and handed over as safetensors.

The pickle never reaches the process that audits. `torch.load(weights_only=True)` builds tensors and plain containers
alone; the child bounds what that may take.
"""

from __future__ import annotations

import os
import resource
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from core.errors import ModelError
from core.models.kinds import shown
from core.sandbox import Allowance, Failure, call
from core.settings import MODEL_LIMITS

ENDINGS = (".pt", ".pth", ".bin")
_ROOM = MODEL_LIMITS.unpacked
_LIBRARIES = 64 * 2**30  # address space that the libraries of a GPU may reserve without using it


@contextmanager
def plain_copy(path: Path, name: str) -> Iterator[Path]:
    """A safetensors file with the tensors of the state dict at `path`, which is gone after the block.

    Raises `ModelError` in one line that begins with `name`.
    """
    size = path.stat().st_size
    allowance = Allowance(
        seconds=MODEL_LIMITS.state_seconds + size / 20e6,
        wall=MODEL_LIMITS.state_wall + size / 5e6,
        memory=_LIBRARIES + 4 * size,
        written=4 * size + _ROOM,
    )
    with TemporaryDirectory(prefix="loupe-weights-") as folder:
        copy = Path(folder) / "weights.safetensors"
        try:
            call(write_copy, os.path.abspath(path), str(copy), name, allowance=allowance)
        except Failure as error:
            if error.kind == "size" or error.name == "OSError":
                raise ModelError(f"{name} cannot be copied to {folder}; free space there") from error
            if error.kind == "memory":
                raise ModelError(f"{name} unpacks to far more than its own size; save model.state_dict()") from error
            raise ModelError(f"the weights {name} {error}") from error
        yield copy


def write_copy(_: bytes, path: str, copy: str, name: str) -> tuple[Any, bytes]:
    """In the child: read the state dict at `path` and write its tensors to `copy`."""
    import torch
    from safetensors.torch import save_file

    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode):
            raise ModelError(f"{name} is not an ordinary file; name a file")
        _bound_memory(2 * about.st_size + _ROOM)
        try:
            raw = torch.load(file, map_location="cpu", weights_only=True)
        except MemoryError:
            raise
        except Exception as error:
            if "allocate memory" in str(error):
                raise MemoryError from error
            # Unpickling hostile bytes fails in any way; whichever it was, they are no state dict.
            raise ModelError(
                f"{name} is not a plain state dict (a pickled module is refused, it could run code); save "
                "model.state_dict() or convert it to .safetensors"
            ) from error
    save_file(_tensors(raw, name, 4 * about.st_size + _ROOM // 2), copy)
    return None, b""


def _tensors(raw: Any, name: str, most: int) -> dict[str, Any]:
    """The tensors by name, each with memory of its own."""
    import torch

    state = raw.get("state_dict", raw) if isinstance(raw, dict) else None
    plain = (torch.Tensor, torch.nn.Parameter)
    if (
        not isinstance(state, dict)
        or not state
        or not all(isinstance(key, str) and type(value) in plain for key, value in state.items())
    ):
        raise ModelError(f"{name} holds no state dict of tensors; save model.state_dict()")
    if len(state) > MODEL_LIMITS.tensors or not all(
        len(key) <= MODEL_LIMITS.name and key.isprintable() for key in state
    ):
        raise ModelError(f"{name} holds more tensors than a model has, or names that are none; save model.state_dict()")
    for key, value in state.items():
        if value.layout != torch.strided or value.device.type != "cpu" or value.is_quantized or value.is_complex():
            raise ModelError(f"{name} holds {shown(key)} in a form that is not plain numbers; save model.state_dict()")
    # A view of one number may claim any shape: what counts is what is written out.
    if sum(value.numel() * value.element_size() for value in state.values()) > most:
        raise ModelError(f"{name} unpacks to far more than its own size; save model.state_dict()")
    if all(key.startswith("module.") for key in state):
        state = {key.removeprefix("module."): value for key, value in state.items()}
    return {key: value.detach().clone(memory_format=torch.contiguous_format) for key, value in state.items()}


def _bound_memory(more: int) -> None:
    """Let this process take `more` bytes beyond what it and its libraries hold already (Linux)."""
    if sys.platform != "linux":
        return
    with open("/proc/self/statm") as file:
        held = int(file.read().split()[0]) * resource.getpagesize()
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (held + more if most < 0 else min(held + more, most), most))
