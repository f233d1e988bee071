"""The versioned file that findings are judged by."""

from __future__ import annotations

import hashlib
import json
import math
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.characters import brief
from core.errors import InputError, Refused
from core.runs import Run
from core.sandbox import named_file
from core.sandbox.toml import read_toml
from core.settings import LIMITS

BUILT_IN = Path(__file__).parent / "thresholds.toml"
_MOST, _VERSION = 1_000_000, 40


@dataclass(frozen=True)
class Thresholds:
    """Values by dotted name, with the file's version.

    `data` is a file of what was understood, as it is kept with a run: never the bytes that a person brought.
    """

    values: dict[str, Any]
    version: str
    data: bytes

    @property
    def sha256(self) -> str:
        """Of the file as it is kept."""
        return hashlib.sha256(self.data).hexdigest()

    def __getitem__(self, name: str) -> Any:
        value: Any = self.values
        for part in name.split("."):
            value = value[part]
        return value

    def label(self, name: str) -> str:
        """How a report names one value: its dotted name, value and the file's version."""
        return f"{name} = {self[name]} (thresholds v{self.version})"


def load_thresholds(path: Path = BUILT_IN) -> Thresholds:
    """Read a thresholds file; values it lacks come from the built-in one. Raises `InputError` in one line."""
    built_in = BUILT_IN.read_bytes()
    base = tomllib.loads(built_in.decode())
    if path == BUILT_IN:
        return Thresholds(base, str(base["version"]), built_in)
    title = f"the thresholds file {brief(str(path))}"
    try:
        raw = read_toml(named_file(path, LIMITS.thresholds_bytes, title))
    except Refused as refused:
        raise InputError(f"{title} {refused}") from refused
    merged = _merged(base, raw)
    data = "".join(f"{line}\n" for line in _written(_part(merged, raw))).encode()
    return Thresholds(merged, str(merged["version"]) if "version" in raw else "unversioned", data)


def run_thresholds(run: Run) -> Path:
    """The thresholds file kept with the run, or the built-in one."""
    own = run.folder / "thresholds.toml"
    return own if own.exists() else BUILT_IN


def _merged(base: dict[str, Any], over: dict[str, Any], where: str = "") -> dict[str, Any]:
    out = dict(base)
    for name, value in over.items():
        place = brief(f"{where}{name}", 80)
        if name not in base:
            raise InputError(f"thresholds: {place} is unknown")
        known = base[name]
        if place == "version":
            out[name] = brief(str(value), _VERSION) if isinstance(value, (str, int, float)) else ""
            if not out[name]:
                raise InputError("thresholds: version must be a short text")
        elif isinstance(known, dict) and isinstance(value, dict):
            out[name] = _merged(known, value, f"{where}{name}.")
        elif _is_number(known) and _is_number(value):
            out[name] = _bounded(place, known, value)
        elif isinstance(known, (dict, bool, int, float)) or type(value) is not type(known):
            raise InputError(f"thresholds: {place} has the wrong kind of value")
        else:
            out[name] = value
    return out


def _part(values: dict[str, Any], of: dict[str, Any]) -> dict[str, Any]:
    """The values that stand in a file, as they were understood."""
    return {name: _part(values[name], value) if isinstance(value, dict) else values[name] for name, value in of.items()}


def _written(values: dict[str, Any], where: str = "") -> Iterator[str]:
    """The lines of a thresholds file; reading it gives the same values, and writing those the same lines."""
    for name, value in sorted(values.items()):
        if not isinstance(value, dict):
            # What JSON writes is what TOML reads, but for one character.
            yield f"{name} = {json.dumps(value, ensure_ascii=False)}".replace("\x7f", "\\u007f")
    for name, value in sorted(values.items()):
        if isinstance(value, dict):
            yield f"[{where}{name}]"
            yield from _written(value, f"{where}{name}.")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _bounded(place: str, known: float, value: float) -> float:
    """A number that a rule can compute with: finite, no giant, and 0 or more where it counts something."""
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"thresholds: {place} has the wrong kind of value: it must be a finite number")
    least = 0 if isinstance(known, int) else -_MOST
    if not least <= value <= _MOST:
        raise InputError(f"thresholds: {place} must be a number from {least:,} to {_MOST:,}")
    return value
