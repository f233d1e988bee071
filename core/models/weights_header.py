"""The header of a safetensors file, and the list of shards, read by readers of our own. In a child; no torch."""

from __future__ import annotations

import math
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import ModelError
from core.models.json_file import parsed, read_bytes
from core.models.kinds import matching, shown
from core.sandbox import Allowance, Failure, call
from core.settings import MODEL_LIMITS

SCALE = "::scale"
INDEX = ".index.json"
# Bytes an entry. Float8 and the like mean nothing without scales of their own, which no CLIP model is stored with.
ITEM = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
FLOATS = frozenset({"F64", "F32", "F16", "BF16"})
_AXES = 8
_LENGTH = 8
_SHARD = matching(
    r"[A-Za-z0-9][A-Za-z0-9._-]*\.(safetensors|bin)",
    "the name of a .safetensors or .bin file beside it, without a path",
)


@dataclass(frozen=True)
class Entry:
    """What a header says of one tensor."""

    kind: str
    shape: tuple[int, ...]


def read_header(path: Path, name: str) -> dict[str, Entry]:
    """The tensors of a safetensors file by name. Raises `ModelError` in one line that begins with `name`."""
    allowance = Allowance(
        seconds=MODEL_LIMITS.file_seconds, wall=MODEL_LIMITS.file_wall, answer=4 * MODEL_LIMITS.header
    )
    try:
        found = call(read, os.path.abspath(path), name, allowance=allowance).value
    except Failure as error:
        raise ModelError(f"the weights {name} {error}") from error
    return {key: Entry(kind, tuple(shape)) for key, (kind, shape) in found.items()}


def read_index(path: Path, name: str) -> list[str]:
    """The names of the shards that an index lists, sorted; each is a file beside it.

    Raises `ModelError` in one line that begins with `name`.
    """
    shards = listed_shards(path, name)
    for shard in shards:
        if not (path.parent / shard).is_file():
            raise ModelError(f"{name} lists the shard {shard}, which is not beside it; copy it there")
    return shards


def listed_shards(path: Path, name: str) -> list[str]:
    """The names of the shards that an index lists, sorted, whether they exist or not."""
    allowance = Allowance(
        seconds=MODEL_LIMITS.file_seconds, wall=MODEL_LIMITS.file_wall, answer=4 * MODEL_LIMITS.header
    )
    try:
        shards: list[str] = call(read_shards, os.path.abspath(path), name, allowance=allowance).value
    except Failure as error:
        raise ModelError(f"the list of shards {name} {error}") from error
    return shards


def read_shards(_: bytes, path: str, name: str) -> tuple[Any, bytes]:
    """In the child: the names of the files that an index lists."""
    raw = parsed(read_bytes(path, name, MODEL_LIMITS.header), name)
    listed = raw.get("weight_map") if isinstance(raw, dict) else None
    if not isinstance(listed, dict) or not 1 <= len(listed) <= MODEL_LIMITS.tensors:
        raise ModelError(f"{name} is not a list of shards: it has no weight_map of tensors and files")
    for shard in listed.values():
        if not _SHARD.fits(shard):
            raise ModelError(f"{name} lists {shown(shard)} as a shard; it must be {_SHARD.told}")
    return sorted(set(listed.values())), b""


def read(_: bytes, path: str, name: str) -> tuple[Any, bytes]:
    """In the child: `{name of a tensor: [kind, shape]}`."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode):
            raise _unsound(name, "it is not a regular file")
        if about.st_size < _LENGTH:
            raise _unsound(name, "it is too short")
        start = file.read(_LENGTH)
        for mark, what in _INSTEAD:
            if start.lower().startswith(mark):
                raise ModelError(f"{name} is {what}, not weights; download the file itself")
        length = int.from_bytes(start, "little")
        if not 2 <= length <= min(MODEL_LIMITS.header, about.st_size - _LENGTH):
            raise _unsound(name, f"its header would take {length:,} bytes of {about.st_size:,}")
        text = file.read(length)
    if not text.startswith(b"{"):
        raise _unsound(name, "it has no header")
    return _tensors(parsed(text, f"the header of {name}"), about.st_size - _LENGTH - length, name), b""


def _tensors(header: dict[str, Any], held: int, name: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    places: list[tuple[int, int]] = []
    for key, entry in header.items():
        if key == "__metadata__":
            continue
        if len(key) > MODEL_LIMITS.name or not key.isprintable():
            raise _unsound(name, f"a tensor has the name {shown(key)}")
        begin, end, kind, shape = _entry(entry, key, name)
        places.append((begin, end))
        found[key] = [kind, shape]
    if not 1 <= len(found) <= MODEL_LIMITS.tensors:
        raise _unsound(name, f"it contains {len(found):,} tensors")
    at = 0
    for begin, end in sorted(places):
        if begin != at:
            raise _unsound(name, "its tensors overlap or leave gaps")
        at = end
    if at != held:
        raise _unsound(name, f"its tensors take {at:,} bytes, but it contains {held:,}")
    return found


def _entry(entry: Any, key: str, name: str) -> tuple[int, int, str, list[int]]:
    tensor = f"the tensor {shown(key)}"
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise _unsound(name, f"{tensor} is not described by dtype, shape and data_offsets")
    kind, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(kind, str) or kind not in ITEM:
        raise _unsound(name, f"{tensor} has the data type {shown(kind)}, in which no weights of CLIP models are stored")
    if not _whole_numbers(shape) or len(shape) > _AXES:
        raise _unsound(name, f"{tensor} has an invalid shape")
    if not _whole_numbers(offsets) or len(offsets) != 2 or offsets[1] - offsets[0] != math.prod(shape) * ITEM[kind]:
        raise _unsound(name, f"{tensor} takes a different number of bytes than its shape requires")
    return offsets[0], offsets[1], kind, shape


def _whole_numbers(values: Any) -> bool:
    if not isinstance(values, list):
        return False
    return all(isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**48 for value in values)


# What a download leaves in the place of a file: the pointer of Git LFS, a page that asks for a login.
_INSTEAD = ((b"version ", "a pointer of Git LFS"), (b"<!doctyp", "a web page"), (b"<html", "a web page"))


def _unsound(name: str, why: str) -> ModelError:
    return ModelError(f"{name} is not a valid safetensors file: {why}; export it again")
