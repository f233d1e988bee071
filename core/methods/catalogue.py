"""Every method by name. A new method adds its card here and its code to `core/attribution`."""

from __future__ import annotations

import difflib

from core.errors import InputError
from core.methods import bottleneck, concept, gradient, perturbation, regional, similarity
from core.methods.info import MethodInfo

METHODS: dict[str, MethodInfo] = {
    info.name: info
    for info in (
        *similarity.CARDS,
        *gradient.CARDS,
        *bottleneck.CARDS,
        *perturbation.CARDS,
        *concept.CARDS,
        *regional.CARDS,
    )
}


def method_info(name: str) -> MethodInfo:
    """The card of a method. Raises `InputError` naming the nearest known ones."""
    if name in METHODS:
        return METHODS[name]
    near = difflib.get_close_matches(name, METHODS, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(METHODS)}"
    raise InputError(f"no method is called {name!r}; {hint}")
