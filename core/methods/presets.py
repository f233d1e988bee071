"""How much work an audit puts into its sampling methods and curves, by name. The report prints what results.

The options of each method at an effort stand on its card.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from core.methods.catalogue import method_info

DEFAULT_EFFORT = "standard"


@dataclass(frozen=True)
class Effort:
    """An effort by name: steps of a curve, random coalitions that maps are compared with, and the ways to hide cells by
    which faithfulness is repeated.

    There are no more coalitions than RISE draws at the same effort: both share them.
    """

    name: str
    steps: int
    coalitions: int
    again: tuple[Literal["blur", "road"], ...] = ()

    def of(self, method: str) -> dict[str, Any]:
        """The options for one method; empty where it keeps its defaults. Raises `InputError` for an unknown name."""
        return method_info(method).preset(self.name)


EFFORTS: dict[str, Effort] = {
    effort.name: effort
    for effort in (
        Effort("quick", steps=5, coalitions=96),
        Effort("standard", steps=10, coalitions=128),
        Effort("thorough", steps=16, coalitions=128, again=("blur", "road")),
    )
}
