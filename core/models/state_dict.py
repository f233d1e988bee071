"""A `.pt` or `.ckpt` state dict, read in a child that may do nothing but read it, and handed over as safetensors.

The pickle never reaches the process that audits. `torch.load(weights_only=True)` builds tensors and plain containers
alone, and what trainers write beside them (numpy's numbers, arguments) becomes a `Nothing`; the child bounds what that
may take.
"""

from __future__ import annotations

import os
import resource
import stat
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from core.errors import ModelError
from core.models.kinds import shown
from core.sandbox import Allowance, Failure, call
from core.settings import MODEL_LIMITS

ENDINGS = (".pt", ".pth", ".bin", ".ckpt")
# Where trainers keep the weights, the most definite first.
CONTAINERS = ("state_dict", "model_state_dict", "model", "student", "net", "network", "module", "weights", "params")
# What trainers keep beside weights and what holds none. Whatever a file calls by these names is never made.
_BESIDE = (
    "numpy._core.multiarray.scalar", "numpy.core.multiarray.scalar", "numpy.dtype", "numpy.ndarray",
    "numpy._core.multiarray._reconstruct", "numpy.core.multiarray._reconstruct", "numpy.bool_", "numpy.float64",
    *(f"numpy.dtypes.{kind}DType" for kind in ("Float16", "Float32", "Float64", "Int8", "Int16", "Int32", "Int64",
                                               "UInt8", "UInt16", "UInt32", "UInt64", "Bool")),
    "_codecs.encode", "argparse.Namespace", "types.SimpleNamespace", "collections.defaultdict",
    "pathlib.Path", "pathlib.PosixPath", "pathlib.PurePosixPath", "pathlib.WindowsPath", "pathlib._local.PosixPath",
    "datetime.datetime", "datetime.timedelta", "builtins.slice", "builtins.range",
    "lightning_fabric.utilities.data.AttributeDict", "pytorch_lightning.utilities.parsing.AttributeDict",
    "lightning.fabric.utilities.data.AttributeDict", "lightning.pytorch.utilities.parsing.AttributeDict",
    "omegaconf.dictconfig.DictConfig", "omegaconf.listconfig.ListConfig", "omegaconf.base.ContainerMetadata",
    "omegaconf.base.Metadata", "omegaconf.nodes.AnyNode", "typing.Any",
)  # fmt: skip
_NESTED = 3
_ROOM = MODEL_LIMITS.unpacked
_LIBRARIES = 64 * 2**30  # address space that the libraries of a GPU may reserve without using it


class Nothing:
    """Stands for an object beside the weights: it takes whatever its pickle gives and keeps none of it."""

    def __new__(cls, *_: Any) -> Nothing:
        return object.__new__(cls)

    def __init__(self, *_: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass

    def __setitem__(self, key: Any, value: Any) -> None:
        pass


@contextmanager
def plain_copy(path: Path, name: str) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """A safetensors file with the tensors of the state dict at `path`, which is gone after the block, and notes.

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
            notes = call(write_copy, os.path.abspath(path), str(copy), name, allowance=allowance).value
        except Failure as error:
            if error.kind == "size" or error.name == "OSError":
                raise ModelError(f"{name} cannot be copied to {folder}; free space there") from error
            if error.kind == "memory":
                raise ModelError(f"{name} unpacks to far more than its own size; save model.state_dict()") from error
            raise ModelError(f"the weights {name} {error}") from error
        yield copy, tuple(notes)


def write_copy(_: bytes, path: str, copy: str, name: str) -> tuple[Any, bytes]:
    """In the child: read the state dict at `path` and write its tensors to `copy`."""
    import torch
    from safetensors.torch import save_file

    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode):
            raise ModelError(f"{name} is not a regular file; name a file")
        _bound_memory(2 * about.st_size + _ROOM)
        if _is_script(file):
            raise ModelError(
                f"{name} is a TorchScript archive, which contains code; if you trust it, convert it once: "
                "torch.save(torch.jit.load(file).state_dict(), 'weights.pt')"
            )
        try:
            with torch.serialization.safe_globals([(Nothing, beside) for beside in _BESIDE]):
                raw = torch.load(file, map_location="cpu", weights_only=True)
        except MemoryError:
            raise
        except Exception as error:
            if "allocate memory" in str(error):
                raise MemoryError from error
            # Unpickling hostile bytes fails in any way; whichever it was, they are no state dict.
            raise ModelError(
                f"{name} is not a plain state dict (pickled modules are refused because they could run code); if you "
                "trust it, convert it once: torch.save(torch.load(file, weights_only=False).state_dict(), "
                "'weights.pt'), or save model.state_dict() as .safetensors"
            ) from error
    state, notes = _state(raw, name)
    save_file(_tensors(state, name, 4 * about.st_size + _ROOM // 2), copy)
    return notes, b""


def _is_script(file: Any) -> bool:
    """Whether a file is a zip that TorchScript wrote; the file is left at its beginning."""
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        names = []
    file.seek(0)
    return any(member.endswith("/constants.pkl") or "/code/" in member for member in names)


def _state(raw: Any, name: str) -> tuple[Any, list[str]]:
    """The state dict in what a file holds, and notes on what was left."""
    for _ in range(_NESTED):
        if _is_state(raw):
            return raw, []
        if not isinstance(raw, dict):
            break
        known = [key for key in CONTAINERS if isinstance(raw.get(key), dict) and _holds_state(raw[key])]
        if not known:
            break
        others = [shown(key) for key, value in raw.items() if key != known[0] and _is_state(value)]
        raw = raw[known[0]]
        if others and _is_state(raw):
            return raw, [f"The weights are those called {known[0]}; others in the file were left out ({others[0]})."]
    raise ModelError(f"{name} contains no state dict of tensors; save model.state_dict()")


def _holds_state(value: Any) -> bool:
    return _is_state(value) or any(_is_state(value.get(key)) for key in CONTAINERS)


def _is_state(value: Any) -> bool:
    import torch

    plain = (torch.Tensor, torch.nn.Parameter)
    return (
        isinstance(value, dict)
        and bool(value)
        and all(isinstance(key, str) and type(one) in plain for key, one in value.items())
    )


def _tensors(state: Any, name: str, most: int) -> dict[str, Any]:
    """The tensors by name, each with memory of its own."""
    import torch

    if len(state) > MODEL_LIMITS.tensors or not all(
        len(key) <= MODEL_LIMITS.name and key.isprintable() for key in state
    ):
        raise ModelError(
            f"{name} contains more tensors than a model has, or invalid tensor names; save model.state_dict()"
        )
    for key, value in state.items():
        if value.layout != torch.strided or value.device.type != "cpu" or value.is_quantized or value.is_complex():
            raise ModelError(
                f"{name} contains {shown(key)} in a form other than plain numbers; save model.state_dict()"
            )
    # A view of one number may claim any shape: what counts is what is written out.
    if sum(value.numel() * value.element_size() for value in state.values()) > most:
        raise ModelError(f"{name} unpacks to far more than its own size; save model.state_dict()")
    return {key: value.detach().clone(memory_format=torch.contiguous_format) for key, value in state.items()}


def _bound_memory(more: int) -> None:
    """Let this process take `more` bytes beyond what it and its libraries hold already (Linux)."""
    if sys.platform != "linux":
        return
    with open("/proc/self/statm") as file:
        held = int(file.read().split()[0]) * resource.getpagesize()
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (held + more if most < 0 else min(held + more, most), most))
