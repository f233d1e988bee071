"""The versioned file that findings are judged by."""

from __future__ import annotations

import hashlib
import math
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import InputError
from core.runs import Run

BUILT_IN = Path(__file__).parent / "thresholds.toml"


@dataclass(frozen=True)
class Thresholds:
    """Values by dotted name, with the file's version and SHA-256."""

    values: dict[str, Any]
    version: str
    sha256: str

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
    raw = _read(path)
    base = raw if path == BUILT_IN else _merged(_read(BUILT_IN), raw)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Thresholds(base, str(raw.get("version", "unversioned")), digest)


def run_thresholds(run: Run) -> Path:
    """The thresholds file kept with the run, or the built-in one."""
    own = run.folder / "thresholds.toml"
    return own if own.exists() else BUILT_IN


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError as error:
        raise InputError(f"there is no thresholds file {path}") from error
    except OSError as error:
        raise InputError(f"the thresholds file {path} can't be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no TOML: {error}") from error


def _kind(value: Any) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return "number" if math.isfinite(value) else "no number"
    return type(value).__name__


def _merged(base: dict[str, Any], over: dict[str, Any], where: str = "") -> dict[str, Any]:
    out = dict(base)
    for name, value in over.items():
        if name not in base:
            raise InputError(f"thresholds: {where}{name} is unknown")
        if _kind(value) != _kind(base[name]) and f"{where}{name}" != "version":
            raise InputError(f"thresholds: {where}{name} has the wrong kind of value")
        out[name] = _merged(base[name], value, f"{where}{name}.") if isinstance(value, dict) else value
    return out
