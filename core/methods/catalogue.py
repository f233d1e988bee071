"""Every method by name. A new method adds its card here and its code to `core/attribution`."""

from __future__ import annotations

from core.methods import (
    attention,
    bottleneck,
    calibrated,
    cam,
    concept,
    dense,
    gradient,
    interaction,
    perturbation,
    pixel_gradient,
    regional,
    similarity,
)
from core.methods.info import MethodInfo, named

METHODS: dict[str, MethodInfo] = {
    info.name: info
    for info in (
        *similarity.CARDS,
        *dense.CARDS,
        *calibrated.CARDS,
        *attention.CARDS,
        *gradient.CARDS,
        *pixel_gradient.CARDS,
        *cam.CARDS,
        *bottleneck.CARDS,
        *perturbation.CARDS,
        *interaction.CARDS,
        *concept.CARDS,
        *regional.CARDS,
    )
}


def method_info(name: str) -> MethodInfo:
    """The card of a method. Raises `InputError` naming the nearest known ones."""
    return named(METHODS, name, "method")
