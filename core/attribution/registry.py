"""From a method's name to its code."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from core.methods import METHODS, MethodInfo, method_info

# Methods whose file is not called like them.
_FILES: dict[str, str] = {}


def method_module(name: str) -> tuple[MethodInfo, Any]:
    """The card and the module of a method. Raises `InputError` for an unknown name."""
    info = method_info(name)
    return info, import_module(f"core.attribution.{_FILES.get(name, name)}")


__all__ = ["METHODS", "method_module"]
