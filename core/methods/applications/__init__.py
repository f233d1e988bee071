"""Every application by name. A new one adds its card here and its code to `core/applications`."""

from __future__ import annotations

from core.methods.applications.concepts import CARD as CONCEPTS
from core.methods.applications.info import ApplicationInfo
from core.methods.applications.information import CARD as INFORMATION
from core.methods.applications.knowledge import CARD as KNOWLEDGE
from core.methods.applications.mosaic import CARD as MOSAIC
from core.methods.applications.priors import CARD as PRIORS
from core.methods.applications.reliance import CARD as RELIANCE
from core.methods.applications.sanity import CARD as SANITY
from core.methods.applications.segmentation import CARD as SEGMENTATION
from core.methods.applications.word_maps import CARD as WORD_MAPS
from core.methods.info import named

CARDS: tuple[ApplicationInfo, ...] = (
    CONCEPTS,
    SEGMENTATION,
    KNOWLEDGE,
    PRIORS,
    INFORMATION,
    RELIANCE,
    SANITY,
    MOSAIC,
    WORD_MAPS,
)

APPLICATIONS: dict[str, ApplicationInfo] = {card.name: card for card in CARDS}


def application_info(name: str) -> ApplicationInfo:
    """The card of an application. Raises `InputError` naming the nearest known ones."""
    return named(APPLICATIONS, name, "application")
