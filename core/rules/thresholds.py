"""The versioned file that findings are judged by."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from annotated_types import Ge, Le
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from core.characters import brief
from core.errors import InputError, Refused
from core.languages import say
from core.rules.limits import Section, limits_model
from core.runs import Run
from core.sandbox import named_file
from core.sandbox.toml import read_toml
from core.settings import LIMITS

_VERSION = 40


@dataclass(frozen=True)
class Thresholds:
    """The values that findings are judged by.

    `data` is a file of what was understood, as it is kept with a run: never the bytes that a person brought.
    """

    limits: Section
    data: bytes

    @property
    def version(self) -> str:
        """The version that the file gives itself."""
        return str(self["version"])

    @property
    def whole(self) -> bytes:
        """A file of every value in force, those of the built-in file included."""
        return _bytes(self.limits.model_dump())

    @property
    def sha256(self) -> str:
        """Of the file as it is kept."""
        return hashlib.sha256(self.data).hexdigest()

    def __getitem__(self, name: str) -> Any:
        """The value with this dotted name. Raises `KeyError` where there is none."""
        value: Any = self.limits
        for part in name.split("."):
            if part not in getattr(type(value), "model_fields", {}):
                raise KeyError(name)
            value = getattr(value, part)
        return value

    def label(self, *names: str) -> str:
        """How a report names values: each with its dotted name, then the version of the file; empty without a name."""
        values = "; ".join(f"{name} = {self[name]}" for name in names)
        if not values:
            return ""
        return say("{values} (thresholds, version {version})", values=values, version=str(self.version))


def load_thresholds(path: Path | None = None) -> Thresholds:
    """The built-in thresholds, with the values of a file over them. Raises `InputError` in one line."""
    built_in = limits_model()()
    if path is None:
        return Thresholds(built_in, _bytes(built_in.model_dump()))
    title = f"the thresholds file {brief(str(path))}"
    try:
        raw = read_toml(named_file(path, LIMITS.thresholds_bytes, title))
    except Refused as refused:
        raise InputError(f"{title} {refused}") from refused
    limits = _checked(_merged(built_in.model_dump(), {**raw, "version": _version(raw)}))
    return Thresholds(limits, _bytes(_part(limits.model_dump(), raw)))


def _bytes(values: dict[str, Any]) -> bytes:
    return "".join(f"{line}\n" for line in _written(values)).encode()


def thresholds_of(run: Run) -> Thresholds:
    """The thresholds that a run is judged by: those kept with it, or the built-in ones."""
    return run.once(_own_thresholds)


def run_thresholds(run: Run) -> Path | None:
    """The thresholds file kept with the run; None where it is judged by the built-in ones."""
    own = run.folder / "thresholds.toml"
    return own if own.exists() else None


def _own_thresholds(run: Run) -> Thresholds:
    return load_thresholds(run_thresholds(run))


def _version(raw: dict[str, Any]) -> str:
    version = raw.get("version", "unversioned")
    text = brief(str(version), _VERSION) if isinstance(version, (str, int, float)) else ""
    if not text:
        raise InputError("thresholds: version must be a short text")
    return text


def _merged(base: dict[str, Any], over: dict[str, Any], where: str = "") -> dict[str, Any]:
    """The built-in values with those of a file over them. Stops at the first unknown name."""
    out = dict(base)
    for name, value in over.items():
        if name not in base:
            raise InputError(f"thresholds: {brief(f'{where}{name}', 80)} is unknown")
        nested = isinstance(base[name], dict) and isinstance(value, dict)
        out[name] = _merged(base[name], value, f"{where}{name}.") if nested else value
    return out


def _checked(values: dict[str, Any]) -> Section:
    """The values as the model reads them; the first that it refuses is named in one line."""
    try:
        limits = limits_model().model_validate(values)
        high, medium = values["severity"]["high"], values["severity"]["medium"]
        if medium > high:
            raise InputError("thresholds: severity.medium must not be above severity.high")
        return limits
    except ValidationError as refused:
        first = refused.errors(include_url=False, include_input=False)[0]
    field = brief(".".join(map(str, first["loc"])), 80)
    if first["type"] in ("greater_than_equal", "less_than_equal"):
        least, most = bounds(field)
        raise InputError(f"thresholds: {field} must be a number from {least:,} to {most:,}")
    finite = ": it must be a finite number" if first["type"] == "finite_number" else ""
    raise InputError(f"thresholds: {field} has the wrong kind of value{finite}")


def fields(model: type[BaseModel] | None = None, where: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every value of a thresholds file: its dotted name, and its type, range and reason."""
    for name, field in (model or limits_model()).model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from fields(field.annotation, f"{where}{name}.")
        else:
            yield f"{where}{name}", field


def bounds(name: str) -> tuple[float, float]:
    """The least and the largest number that a value may have. Raises `KeyError` if it is unknown or not a number."""
    rules = dict(fields())[name].metadata
    (least,) = (rule.ge for rule in rules if isinstance(rule, Ge))
    (most,) = (rule.le for rule in rules if isinstance(rule, Le))
    return least, most  # type: ignore[return-value]


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
