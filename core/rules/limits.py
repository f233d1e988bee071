"""The model of a thresholds file: every value that findings are judged by, with its range and its reason.

The values stand in `limits.toml` files: the general ones beside this module, those of a rule in the folder of the rule.
Whatever such a file holds is part of the model; no list names it. Plug-ins bring files of their own.
"""

from __future__ import annotations

import tomllib
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from core.errors import first_line
from core.plugins import APPLICATIONS, RULES, Entry, folders, report_fault
from core.settings import ROOT

FILE = "limits.toml"
_VALUE = {"value", "range", "reason"}


class Section(BaseModel):
    """A section of the file: every value must be known, of its own kind and in its range."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def limit_files() -> list[Path]:
    """Every file of values, the general one first."""
    core = ROOT / "core"
    return [core / "rules" / FILE, core / "findings" / FILE, *sorted((core / "applications").glob(f"*/{FILE}"))]


@cache
def limits_model() -> type[Section]:
    """The model of a thresholds file; its defaults are the built-in values.

    Raises `ValueError` where two files give the same value, or one is not written as a value with range and reason.
    """
    every: dict[str, Any] = {}
    for path in limit_files():
        _join(every, tomllib.loads(path.read_text(encoding="utf-8")), path.parent.name)
    for entry, folder in folders(RULES, APPLICATIONS):
        every = _with_plugin(every, entry, folder / FILE)
    return _section("Limits", every)


def _with_plugin(every: dict[str, Any], entry: Entry, path: Path) -> dict[str, Any]:
    """The values with those of a plug-in; as they were where its file cannot be used, which is a fault of it."""
    if not path.is_file():
        return every
    whole = deepcopy(every)
    try:
        _join(whole, tomllib.loads(path.read_text(encoding="utf-8")), path.parent.name)
        _section("Limits", whole)
    except (ValueError, TypeError, KeyError) as error:
        report_fault(entry, f"its {FILE} cannot be used: {first_line(error)}")
        return every
    return whole


def _join(every: dict[str, Any], part: dict[str, Any], where: str) -> None:
    for name, value in part.items():
        if name not in every:
            every[name] = value
        elif isinstance(value, dict) and isinstance(every[name], dict) and not _VALUE & value.keys():
            _join(every[name], value, f"{where}.{name}")
        else:
            raise ValueError(f"{where}: {name} is given twice")


def _section(title: str, values: dict[str, Any]) -> type[Section]:
    fields: dict[str, Any] = {}
    for name, value in values.items():
        if not isinstance(value, dict):
            about = "Changes with every value; a report prints it with the hash of the file."
            fields[name] = (str, Field(value, min_length=1, max_length=40, description=about))
        elif value.keys() >= _VALUE:
            least, most = value["range"]
            kind = int if isinstance(value["value"], int) else float
            fields[name] = (kind, Field(value["value"], ge=least, le=most, description=value["reason"]))
        else:
            part = _section(f"{title}.{name}", value)
            fields[name] = (part, Field(default_factory=part))
    model: type[Section] = create_model(title, __base__=Section, **fields)
    # The built-in values obey their own ranges.
    model.model_validate(model().model_dump())
    return model
