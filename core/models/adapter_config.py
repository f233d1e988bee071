"""The configuration of a LoRA adapter, in the layout of the library peft. Read in a child; no torch."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

from core.errors import ModelError
from core.models import kinds
from core.models.json_file import parsed, read_bytes
from core.models.kinds import FLAG, NOTHING, Kind, either, matching, number, one_of, several, whole
from core.sandbox import Allowance, Failure, call
from core.settings import MODEL_LIMITS

CONFIG = "adapter_config.json"
_RANK = whole(1, 4096)
_ALPHA = number(0, 65536)
_OFF = either(Kind("false", lambda value: value is False), NOTHING)
_EMPTY = Kind("empty", lambda value: not value)
_WORD = matching(r"[^\x00-\x1f]{1,200}", "a name")
# What decides the merged weights. Other keys concern training.
_KNOWN: dict[str, Kind] = {
    "peft_type": one_of("LORA"),
    "r": _RANK,
    "lora_alpha": _ALPHA,
    "target_modules": either(_WORD, several(_WORD, 0, 4096), NOTHING),
    "use_rslora": either(FLAG, NOTHING),
    "use_dora": _OFF,
    "fan_in_fan_out": _OFF,
    "lora_bias": _OFF,
    "bias": one_of("none"),
    "modules_to_save": _EMPTY,
    "rank_pattern": _EMPTY,
    "alpha_pattern": _EMPTY,
    "auto_mapping": either(Kind("an object", lambda value: isinstance(value, dict)), NOTHING),
}


def read_adapter(folder: Path) -> tuple[int, float]:
    """The rank of the adapter in a folder, and the factor of its matrices. Raises `ModelError` in one line."""
    name = kinds.shown_path(folder / CONFIG)
    allowance = Allowance(seconds=MODEL_LIMITS.file_seconds, wall=MODEL_LIMITS.file_wall)
    try:
        found = call(read, os.path.abspath(folder / CONFIG), name, allowance=allowance).value
    except Failure as error:
        raise ModelError(f"the adapter {name} {error}") from error
    return int(found["r"]), float(found["scale"])


def read(_: bytes, path: str, name: str) -> tuple[Any, bytes]:
    """In the child: the rank and the factor of an adapter."""
    raw = parsed(read_bytes(path, name, MODEL_LIMITS.configuration), name)
    if not isinstance(raw, dict) or not isinstance(raw.get("r"), int) or "lora_alpha" not in raw:
        raise ModelError(f"{name} is not a LoRA adapter's configuration: it has no r and lora_alpha")
    kinds.check({key: value for key, value in raw.items() if key in _KNOWN}, _KNOWN, name)
    rank = raw["r"]
    return {"r": rank, "scale": raw["lora_alpha"] / (math.sqrt(rank) if raw.get("use_rslora") else rank)}, b""
