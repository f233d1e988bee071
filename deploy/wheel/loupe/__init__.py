"""Loupe as the wheel `loupe-audit` installs it: the command `loupe`, and `load_model`, `explain`, `METHODS`.

The wheel keeps the repository's folders below this package, because `core` and `pages` are names that other packages
use as well. This file alone makes them importable, in the processes that run Loupe and in nobody else's.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

_HOME = str(Path(__file__).resolve().parent)
__all__ = ["METHODS", "explain", "load_model"]


def main() -> None:
    """The command `loupe`: what `python -m core` does in a checkout. Leaves with its exit code."""
    _enter()
    runpy.run_module("core", run_name="__main__")


def _enter() -> None:
    if _HOME not in sys.path:
        sys.path.insert(0, _HOME)


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'loupe' has no attribute {name!r}")
    _enter()
    import core

    if not str(core.__file__).startswith(_HOME):
        raise ImportError(f"another package named core was imported before, from {core.__file__}; import loupe first")
    return getattr(core, name)
