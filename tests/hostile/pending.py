"""Hostile files that still do harm, each with the reason. An entry whose file has become harmless fails its test."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

# By the name of the item: why, and whether it may be tried (what never ends would only hold up the others).
PENDING: dict[str, tuple[str, bool]] = {}


def marked(names: Iterable[str]) -> list[Any]:
    """The names as parameters of a test; those that still do harm are expected to fail."""
    found: list[Any] = []
    for name in names:
        if name in PENDING:
            reason, run = PENDING[name]
            found.append(pytest.param(name, marks=pytest.mark.xfail(strict=run, run=run, reason=reason)))
        else:
            found.append(name)
    return found
