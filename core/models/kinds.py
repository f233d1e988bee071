"""What a value of a stranger's configuration may be: a kind says it in words and tests it. No torch."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.datasets.names import printable
from core.errors import ModelError

_SHOWN = 60


@dataclass(frozen=True)
class Kind:
    """`told` continues "must be", and `fits` says whether a value is of that kind; it never raises."""

    told: str
    fits: Callable[[Any], bool]


def whole(low: int, high: int) -> Kind:
    """A whole number of a range."""
    return Kind(f"a whole number from {low} to {high}", lambda value: _whole(value) and low <= value <= high)


def number(low: float, high: float) -> Kind:
    """A finite number of a range."""
    return Kind(f"a number from {low:g} to {high:g}", lambda value: _number(value) and low <= value <= high)


def one_of(*values: str) -> Kind:
    """One of some texts."""
    return Kind(" or ".join(repr(value) for value in values), lambda value: isinstance(value, str) and value in values)


def matching(pattern: str, told: str, most: int = 200) -> Kind:
    """A text of at most `most` characters that matches a pattern as a whole."""
    known = re.compile(pattern)
    return Kind(told, lambda value: isinstance(value, str) and len(value) <= most and bool(known.fullmatch(value)))


def several(kind: Kind, low: int, high: int | None = None) -> Kind:
    """A list of `low` (to `high`) values of one kind."""
    high = low if high is None else high
    count = f"{low}" if high == low else f"{low} to {high}"
    return Kind(
        f"a list of {count} values, each {kind.told}",
        lambda value: isinstance(value, list) and low <= len(value) <= high and all(kind.fits(one) for one in value),
    )


def either(*kinds: Kind) -> Kind:
    """A value of any of some kinds."""
    return Kind(" or ".join(kind.told for kind in kinds), lambda value: any(kind.fits(value) for kind in kinds))


FLAG = Kind("true or false", lambda value: isinstance(value, bool))
NOTHING = Kind("null", lambda value: value is None)


def check(values: Mapping[str, Any], kinds: Mapping[str, Kind], where: str) -> None:
    """Raise `ModelError` for the first key that is unknown or holds another kind of value; `where` begins the line."""
    for key, value in values.items():
        kind = kinds.get(key)
        if kind is None:
            raise ModelError(f"{where} contains {shown(key)}, which is not a key that Loupe accepts; remove it")
        if not kind.fits(value):
            raise ModelError(f"{where} contains {key} = {shown(value)}; it must be {kind.told}")


def shown(value: Any) -> str:
    """A stranger's value for a message: printable, quoted and cut."""
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 200:
        return f"a number of more than {int((value.bit_length() - 1) * math.log10(2))} digits"
    if isinstance(value, dict | list):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)}"
    text = printable(str(value))
    text = f"{text[:_SHOWN]}..." if len(text) > _SHOWN else text
    return repr(text) if isinstance(value, str) else text


def shown_path(path: Path) -> str:
    """A path for a message: printable, and its name alone if it is long."""
    text = printable(str(path))
    return text if len(text) <= 200 else f".../{printable(path.name)[:150]}"


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: Any) -> bool:
    return _whole(value) or (isinstance(value, float) and math.isfinite(value))
