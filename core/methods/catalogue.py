"""Every method by name. A new method adds its card here and its code to `core/attribution`."""

from __future__ import annotations

from core.methods import bottleneck, concept, gradient, perturbation, regional, similarity
from core.methods.info import MethodInfo, named

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
    return named(METHODS, name, "method")
