"""How much an audit covers: three starting points for its images, methods, applications and effort. No torch.

Nothing here names a method or an application: each is in or out by what its card says that it costs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from core.applications.registry import APPLICATIONS
from core.datasets import Dataset
from core.methods import METHODS
from core.runs import MethodPlan


@dataclass(frozen=True)
class Extent:
    """One starting point.

    `images`: how many are drawn at most; None: all. `method`: the most image forward-equivalents that a method may
    cost for one image and text with its default options; `application`: the most that an application may cost for
    each image; `untimed`: what is said of its time as long as that is not known.
    """

    name: str
    title: str
    summary: str
    effort: str
    images: int | None = None
    method: float = math.inf
    application: float = math.inf
    untimed: str = ""

    def count(self, images: int) -> int:
        """How many of so many images are audited."""
        return images if self.images is None else min(self.images, images)

    def methods(self, usable: Iterable[str]) -> tuple[str, ...]:
        """Those of the usable methods that are included."""
        return tuple(
            name for name in usable if not METHODS[name].opt_in and METHODS[name].cost().total(1, 1) <= self.method
        )

    def applications(self, images: int) -> tuple[str, ...]:
        """The applications that are included on so many images."""
        cards = [application.card for application in APPLICATIONS.values()]
        return tuple(
            card.name
            for card in cards
            if card.cost(card.preset(self.effort), images) <= self.application * max(images, 1)
        )


EXTENTS: dict[str, Extent] = {
    extent.name: extent
    for extent in (
        Extent(
            "quick",
            "Quick look",
            "A first impression: few images, fast methods and inexpensive analyses. Few findings can be decided.",
            effort="quick",
            images=12,
            method=2.0,
            application=5.0,
        ),
        Extent(
            "standard",
            "Standard",
            "Enough images for most findings, and every method and analysis of moderate cost.",
            effort="standard",
            images=50,
            method=60.0,
            application=30.0,
        ),
        Extent(
            "everything",
            "Everything",
            "All images, and every method and analysis that the model and the images allow.",
            effort="standard",
            untimed="Plan for hours.",
        ),
    )
}
DEFAULT_EXTENT = "standard"


def inputs_of(
    texts: Mapping[str, Any], dataset: Dataset, methods: Iterable[MethodPlan], capabilities: Iterable[str] | None
) -> dict[str, int]:
    """How many of each input an audit gives its applications, by the names that their cards use.

    `texts` are parts of a `TextPlan`.
    """
    known = None if capabilities is None else tuple(capabilities)
    mapping = [
        part.name
        for part in methods
        if "image" in METHODS[part.name].sides
        and (known is None or METHODS[part.name].reasons(known).get("image", "") is None)
    ]
    differing = {
        column for column in dataset.columns if len({image.metadata.get(column) for image in dataset.images}) > 1
    }
    return {
        "images": len(dataset.images),
        "captions": sum(bool(image.captions) for image in dataset.images) if texts["captions"] else 0,
        "prompts": len(texts["prompts"]),
        "classes": len(texts["classes"]),
        "metadata": len(differing),
        "maps": len(mapping),
    }
