"""TOML from outside, read in a child with limits."""

from __future__ import annotations

import json
import tomllib
from typing import Any

from core.characters import brief
from core.errors import Refused
from core.sandbox.allowance import Allowance, Failure
from core.sandbox.client import call

# A file of the size that is accepted is read in well under a second.
_ALLOWANCE = Allowance(seconds=5.0, wall=30.0, memory=1_000_000_000, answer=16 * 2**20)


def values(data: bytes) -> tuple[Any, bytes]:
    """Task: what a TOML file says, as JSON values."""
    try:
        found = tomllib.loads(data.decode("utf-8"))
        # JSON has no dates and times.
        return json.loads(json.dumps(found, default=str)), b""
    except RecursionError as error:
        raise Refused("is not valid TOML: it is nested too deeply") from error
    except ValueError as error:
        # What wrong TOML, wrong UTF-8, and a number of too many digits have in common.
        raise Refused(f"is not valid TOML: {brief(str(error))}") from error


def read_toml(data: bytes) -> dict[str, Any]:
    """What a TOML file says. Raises `Refused` if it is not TOML, or needs more time or memory than a file may take."""
    try:
        found = call(values, data=data, allowance=_ALLOWANCE).value
    except Failure as failure:
        raise Refused(str(failure)) from failure
    if not isinstance(found, dict):
        raise Refused("is not valid TOML")
    return found
