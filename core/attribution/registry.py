"""From a method's name to its code."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from core import plugins
from core.errors import InputError, first_line
from core.methods import METHODS, MethodInfo, method_info

# Methods whose file is not called like them.
_FILES: dict[str, str] = {}


def method_module(name: str) -> tuple[MethodInfo, Any]:
    """The card and the module of a method. Raises `InputError` for an unknown name."""
    info = method_info(name)
    if not info.module:
        return info, import_module(f"core.attribution.{_FILES.get(name, name)}")
    try:
        return info, import_module(info.module)
    except Exception as error:
        raise InputError(
            f"the {brought(name)} cannot be loaded: {type(error).__name__}: {first_line(error)}"
        ) from error


def brought(name: str) -> str:
    """A method of a plug-in, with distribution and version."""
    entry = plugins.provider(plugins.METHODS, name)
    return f"method {name!r}" if entry is None else entry.title


__all__ = ["METHODS", "brought", "method_module"]
