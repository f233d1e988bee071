"""JSON of a stranger, read within bounds. Runs in a child (`core.sandbox`); no torch."""

from __future__ import annotations

import json
import math
import os
import stat
from typing import Any, NoReturn

from core.errors import ModelError
from core.settings import MODEL_LIMITS


def read_bytes(path: str, name: str, most: int) -> bytes:
    """The content of an ordinary file of at most `most` bytes; never waits for a pipe or a device.

    Raises `ModelError` whose line begins with `name`.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise ModelError(f"{name} cannot be opened ({getattr(error, 'strerror', None) or 'no path'})") from error
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise ModelError(f"{name} is not a regular file; name a file")
        try:
            data = file.read(most + 1)
        except OSError as error:
            raise ModelError(f"{name} cannot be read ({error.strerror}); copy it again") from error
    if len(data) > most:
        raise ModelError(f"{name} is larger than {most / 2**20:.4g} MiB, more than any file of its kind needs")
    return data


def parsed(data: bytes, name: str) -> Any:
    """The value of JSON text: no key twice, no NaN, no endless numbers, no lone surrogates, not deep.

    Raises `ModelError` whose line begins with `name`.
    """

    def refuse(why: str) -> NoReturn:
        raise ModelError(f"{name} is not usable JSON: {why}")

    def whole(text: str) -> int:
        if len(text) > MODEL_LIMITS.digits:
            refuse(f"it contains a number of {len(text)} digits")
        return int(text)

    def fraction(text: str) -> float:
        if len(text) > MODEL_LIMITS.digits or not math.isfinite(value := float(text)):
            refuse("it contains a number that is too large or too long")
        return value

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(found)
        if len(made) < len(found):
            refuse("it contains a key twice in one object")
        return made

    try:
        text = data.decode("utf-8-sig")
        value = json.loads(
            text,
            object_pairs_hook=pairs,
            parse_int=whole,
            parse_float=fraction,
            parse_constant=lambda word: refuse(f"it contains {word}"),
        )
    except UnicodeDecodeError:
        refuse("it is not UTF-8 text")
    except RecursionError:
        refuse("it is nested too deeply")
    except json.JSONDecodeError as error:
        refuse(f"{error.msg}, line {error.lineno}")
    _walk(value, refuse)
    return value


def _walk(value: Any, refuse: Any) -> None:
    """Refuse values that are nested too deeply and texts that cannot be written."""
    waiting = [(value, 0)]
    while waiting:
        one, depth = waiting.pop()
        if depth > MODEL_LIMITS.depth:
            refuse("it is nested too deeply")
        if isinstance(one, dict):
            waiting += [(part, depth + 1) for key, held in one.items() for part in (key, held)]
        elif isinstance(one, list):
            waiting += [(part, depth + 1) for part in one]
        elif isinstance(one, str) and not one.isascii():
            try:
                one.encode()
            except UnicodeEncodeError:
                refuse("it contains half of a surrogate pair")


def written(value: Any) -> bytes:
    """A parsed value as JSON of our own making."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode("ascii")
