"""Loupe: label-free audits of CLIP-style vision-language models.

`load_model`, `explain` and `METHODS` are the Python door; they are imported on first use, so that importing a package
below `core` never loads torch by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.attribution.explain import explain
    from core.methods import METHODS
    from core.models.loading import load_model

__all__ = ["METHODS", "explain", "load_model"]

_HOMES = {"load_model": "core.models.loading", "explain": "core.attribution.explain", "METHODS": "core.methods"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'core' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
