"""torch's compiler, which nothing here uses: libraries are imported without it, and a third fewer modules with them.

torchvision imports it for a function that its pooling of regions calls, transformers for a class that makes unusual
masks, and both transformers and timm to mark what is not to be compiled.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any

_PACKAGE = "torch._dynamo"
# What libraries mark for the compiler with, and what they take from its modules by name and call later, if at all.
_MARKS = ("disable", "assume_constant_result", "allow_in_graph")
_TAKEN = {"utils": "is_compile_supported", "_trace_wrapped_higher_order_op": "TransformGetItemToIndex"}


class _StandIn(ModuleType):
    """The compiler as long as it is only named: whatever else it is asked for, the compiler itself gives."""

    def __init__(self, name: str, **known: Any) -> None:
        super().__init__(name)
        self.__dict__.update(known)

    def __getattr__(self, name: str) -> Any:
        # Whoever looks through all modules asks for names such as `__file__`; only a package has parts to be imported.
        if name.startswith("__") and (self.__name__, name) != (_PACKAGE, "__path__"):
            raise AttributeError(name)
        return _of_compiler(self.__name__, name)


@contextmanager
def without_compiler() -> Iterator[None]:
    """Inside, libraries that name torch's compiler are imported without it, unless it is there already."""
    if _PACKAGE not in sys.modules:
        sys.modules[_PACKAGE] = _StandIn(_PACKAGE, **dict.fromkeys(_MARKS, _unmarked))
        for part, name in _TAKEN.items():
            module = f"{_PACKAGE}.{part}"
            sys.modules[module] = _StandIn(module, **{name: partial(_called, module, name)})
    try:
        yield
    finally:
        _leave()


def _unmarked(function: Any = None, *_: Any, **__: Any) -> Any:
    """What is never compiled stays as it is."""
    return _unmarked if function is None else function


def _called(module: str, name: str, *arguments: Any, **options: Any) -> Any:
    return _of_compiler(module, name)(*arguments, **options)


def _of_compiler(module: str, name: str) -> Any:
    _leave()
    return getattr(import_module(module), name)


def _leave() -> None:
    for name in (_PACKAGE, *(f"{_PACKAGE}.{part}" for part in _TAKEN)):
        if isinstance(sys.modules.get(name), _StandIn):
            del sys.modules[name]
