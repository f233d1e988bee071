"""The environment of a test that runs pytest in a process of its own."""

from __future__ import annotations

import os

_OF_THIS = ("SLIPCOVER_", "PYTEST_XDIST_")


def environment(**more: str) -> dict[str, str]:
    """That of this process without what makes it a worker of others and counts its lines, with `more`."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_OF_THIS)} | more
