"""Every method by name. A new method adds its card here and its code to `core/attribution`, or is a plug-in."""

from __future__ import annotations

from typing import Any

from core import plugins
from core.errors import InputError
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
from core.methods.capability import CAPABILITIES
from core.methods.info import MethodInfo, named

_OWN: dict[str, MethodInfo] = {
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
_PROSE = ("title", "paper", "idea", "assumes", "fails", "differs", "unit")


def usable(name: str, card: Any) -> MethodInfo:
    """The card that a plug-in offers under this name. Raises `InputError` for what a card owes and this one lacks."""
    if not isinstance(card, MethodInfo):
        raise InputError(f"it is {type(card).__name__}, not a MethodInfo")
    if card.name != name:
        raise InputError(f"its card is called {card.name!r}; entry point and card need the same name")
    empty = [part for part in _PROSE if not getattr(card, part)]
    if empty:
        raise InputError(f"its card has no text under {', '.join(empty)}")
    if not card.sides or not set(card.sides) <= {"image", "text"}:
        raise InputError("its card must name the side that it explains, image or text")
    unknown = sorted(card.needs - CAPABILITIES.keys())
    if unknown:
        raise InputError(f"its card needs {', '.join(unknown)}; a model is asked only for {', '.join(CAPABILITIES)}")
    if not card.module:
        raise InputError("its card does not name the module that computes its maps (module=)")
    for effort in card.efforts:
        card.parse(card.preset(effort))
    if not card.cost().total(1, 1) + card.cost().total_text(1, 1) > 0:
        raise InputError("its card must state a cost above 0")
    return card


METHODS: plugins.Parts[MethodInfo] = plugins.Parts(_OWN, plugins.METHODS, usable)


def method_info(name: str) -> MethodInfo:
    """The card of a method. Raises `InputError` naming the nearest known ones."""
    return named(METHODS, name, "method")
