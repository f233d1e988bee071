"""Libraries that are imported when they are first used: a command must not wait for what only a report needs."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class Deferred:
    """A module, or a name of it, that is imported at the first use of an attribute or at the first call."""

    def __init__(self, module: str, name: str = "") -> None:
        self._module, self._name = module, name

    def _target(self) -> Any:
        module = import_module(self._module)
        return getattr(module, self._name) if self._name else module

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._target(), name)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return self._target()(*arguments, **options)


pandas = Deferred("pandas")
