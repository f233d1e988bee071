"""The header of a safetensors file, read by a reader of our own before any library trusts it. In a child; no torch."""

from __future__ import annotations

import math
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import ModelError
from core.models.json_file import parsed
from core.models.kinds import shown
from core.sandbox import Allowance, Failure, call
from core.settings import MODEL_LIMITS

SCALE = "::scale"
# Bytes an entry. Float8 and the like mean nothing without scales of their own, which no CLIP model is stored with.
ITEM = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
FLOATS = frozenset({"F64", "F32", "F16", "BF16"})
_AXES = 8
_LENGTH = 8


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


def read(_: bytes, path: str, name: str) -> tuple[Any, bytes]:
    """In the child: `{name of a tensor: [kind, shape]}`."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode):
            raise _unsound(name, "it is not an ordinary file")
        if about.st_size < _LENGTH:
            raise _unsound(name, "it is too short")
        length = int.from_bytes(file.read(_LENGTH), "little")
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
        raise _unsound(name, f"it holds {len(found):,} tensors")
    at = 0
    for begin, end in sorted(places):
        if begin != at:
            raise _unsound(name, "its tensors overlap or leave gaps")
        at = end
    if at != held:
        raise _unsound(name, f"its tensors take {at:,} bytes, but it holds {held:,}")
    return found


def _entry(entry: Any, key: str, name: str) -> tuple[int, int, str, list[int]]:
    tensor = f"the tensor {shown(key)}"
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise _unsound(name, f"{tensor} is not described by dtype, shape and data_offsets")
    kind, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(kind, str) or kind not in ITEM:
        raise _unsound(name, f"{tensor} is of the kind {shown(kind)}, which no weights of CLIP models are stored in")
    if not _whole_numbers(shape) or len(shape) > _AXES:
        raise _unsound(name, f"{tensor} has no shape that can be used")
    if not _whole_numbers(offsets) or len(offsets) != 2 or offsets[1] - offsets[0] != math.prod(shape) * ITEM[kind]:
        raise _unsound(name, f"{tensor} takes another number of bytes than its shape says")
    return offsets[0], offsets[1], kind, shape


def _whole_numbers(values: Any) -> bool:
    if not isinstance(values, list):
        return False
    return all(isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**48 for value in values)


def _unsound(name: str, why: str) -> ModelError:
    return ModelError(f"{name} is not a sound safetensors file: {why}; export it again")
