"""Weights that a person names: what kind of file it is, its tensors, and whether they can be those of a model."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from core.errors import ModelError, first_line
from core.models.kinds import shown_path
from core.models.packing import SCALE, unpack
from core.models.state_dict import ENDINGS, plain_copy
from core.models.weights_header import FLOATS, INDEX, Entry, read_header, read_index
from core.runs.results import file_sha256
from core.settings import MODEL_LIMITS

_KINDS = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64,
    "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8, "BOOL": torch.bool,
}  # fmt: skip


@dataclass(frozen=True)
class Weights:
    """Weights whose header was checked.

    `path` is what the person named, `parts` the files that it stands for (itself, or the shards of an index), `files`
    the safetensors files that are read.
    """

    path: Path
    name: str
    parts: tuple[Path, ...]
    files: tuple[Path, ...]
    entries: dict[str, Entry]
    notes: tuple[str, ...] = ()

    def shapes(self) -> dict[str, Tensor]:
        """The state without its numbers: tensors on the `meta` device, as `state` gives them."""
        made = {}
        for name, entry in self.entries.items():
            if not name.endswith(SCALE):
                wide = entry.kind in FLOATS or name + SCALE in self.entries
                made[name] = torch.empty(
                    entry.shape, dtype=torch.float32 if wide else _KINDS[entry.kind], device="meta"
                )
        return made

    def state(self) -> dict[str, Tensor]:
        """The state, floats in fp32. Raises `ModelError` if the file cannot be read or its scales do not fit."""
        try:
            return unpack({key: value for file in self.files for key, value in load_file(str(file)).items()}, self.name)
        except (SafetensorError, OSError) as error:
            raise ModelError(f"{self.name} is not a valid safetensors file: {first_line(error)[:100]}") from error

    def sha256(self) -> str:
        """The hash of the file that the person named; of shards, the hash of a list of their hashes and names."""
        if self.parts == (self.path,):
            return file_sha256(self.path)
        lines = "".join(f"{file_sha256(part)}  {part.name}\n" for part in self.parts)
        return hashlib.sha256(lines.encode()).hexdigest()


@contextmanager
def opened_weights(path: Path) -> Iterator[Weights]:
    """The weights at `path`, usable inside the block. Raises `ModelError` in one line that names the file.

    A file `*.index.json` stands for the shards beside it that it lists.
    """
    if path.name.endswith(INDEX):
        with _opened_shards(path) as weights:
            yield weights
        return
    name = shown_path(path)
    try:
        about = os.stat(path)
    except (OSError, ValueError) as error:
        raise ModelError(f"there are no weights at {name}; check the path") from error
    if not stat.S_ISREG(about.st_mode):
        raise ModelError(f"there are no weights at {name}: it is not a regular file; name a file")
    if path.suffix not in (".safetensors", *ENDINGS):
        raise ModelError(f"{name} has an unsupported format of weights; .safetensors or a .pt state dict is needed")
    if about.st_size > MODEL_LIMITS.weights:
        raise ModelError(
            f"{name} is larger than {MODEL_LIMITS.weights / 2**30:.0f} GiB, more than any CLIP model needs"
        )
    if not os.access(path, os.R_OK):
        raise ModelError(f"{name} cannot be opened; give this user permission to read it")
    if path.suffix == ".safetensors":
        yield Weights(path, name, (path,), (path,), read_header(path, name))
    else:
        with plain_copy(path, name) as (copy, notes):
            yield Weights(path, name, (path,), (copy,), read_header(copy, name), notes)


@contextmanager
def _opened_shards(path: Path) -> Iterator[Weights]:
    name = shown_path(path)
    parts = tuple(path.parent / shard for shard in read_index(path, name))
    entries: dict[str, Entry] = {}
    with ExitStack() as stack:
        files: list[Path] = []
        for part in parts:
            shard = stack.enter_context(opened_weights(part))
            twice = sorted(set(entries) & set(shard.entries))
            if twice:
                raise ModelError(f"{name} lists shards of which two contain {twice[0]}; save the model again")
            entries |= shard.entries
            files += shard.files
        yield Weights(path, name, parts, tuple(files), entries)


def check_numbers(state: dict[str, Tensor], own: dict[str, Tensor], name: str) -> None:
    """Whether the numbers can be those of a trained model.

    `own` is the state of the network, which says what each tensor holds. Raises `ModelError` for a tensor of another
    kind (a narrowed one whose scale is missing), for entries that are not finite, and for a tower of zeros.
    """
    broken: list[str] = []
    towers: dict[str, bool] = {}
    for key, value in state.items():
        if key not in own:
            continue
        if value.is_floating_point() != own[key].is_floating_point() or (value.dtype == torch.bool) != (
            own[key].dtype == torch.bool
        ):
            raise ModelError(
                f"{name} contains {key} as {_word(value)}, but the model computes with {_word(own[key])} there; if "
                "the file was packed, its scale is missing"
            )
        if not value.numel():
            continue
        low, high = torch.aminmax(value)
        if value.is_floating_point() and not (torch.isfinite(low) and torch.isfinite(high)):
            broken.append(key)
        if value.is_floating_point() and value.ndim > 1:
            tower = _tower(key)
            towers[tower] = towers.get(tower, True) and bool(low == 0) and bool(high == 0)
    if broken:
        more = f" and in {len(broken) - 1} more tensors" if len(broken) > 1 else ""
        raise ModelError(
            f"{name} contains numbers that are not finite (NaN or infinite) in {broken[0]}{more}; export it again"
        )
    for tower, empty in towers.items():
        if empty:
            raise ModelError(f"{name} contains only zeros in the {tower}; export it again from the trained model")


def _tower(key: str) -> str:
    if key.startswith("visual."):
        return "image tower"
    return "captioner" if key.startswith("text_decoder.") else "text tower"


def _word(value: Tensor) -> str:
    if value.is_floating_point():
        return "fractions"
    return "flags" if value.dtype == torch.bool else f"integers ({str(value.dtype).removeprefix('torch.')})"
