"""Every application by name. A new one adds its card here and its code to `core/applications`."""

from __future__ import annotations

import difflib

from core.errors import InputError
from core.methods.applications.concepts import CARD as CONCEPTS
from core.methods.applications.info import ApplicationInfo
from core.methods.applications.knowledge import CARD as KNOWLEDGE
from core.methods.applications.priors import CARD as PRIORS
from core.methods.applications.segmentation import CARD as SEGMENTATION

CARDS: tuple[ApplicationInfo, ...] = (
    CONCEPTS,
    SEGMENTATION,
    KNOWLEDGE,
    PRIORS,
)

APPLICATIONS: dict[str, ApplicationInfo] = {card.name: card for card in CARDS}


def application_info(name: str) -> ApplicationInfo:
    """The card of an application. Raises `InputError` naming the nearest known ones."""
    if name in APPLICATIONS:
        return APPLICATIONS[name]
    near = difflib.get_close_matches(name, APPLICATIONS, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(APPLICATIONS)}"
    raise InputError(f"no application is called {name!r}; {hint}")
