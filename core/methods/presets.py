"""How much work an audit puts into its sampling methods and curves, by name. The report prints what results."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

DEFAULT_EFFORT = "standard"


@dataclass(frozen=True)
class Effort:
    """Options that differ from the defaults of a method or an application, and the steps of a curve.

    `again` names the ways to hide cells by which faithfulness is measured once more.
    """

    steps: int
    options: dict[str, dict[str, Any]] = field(default_factory=dict)
    again: tuple[Literal["blur", "road"], ...] = ()

    def of(self, method: str) -> dict[str, Any]:
        """The options for one method; empty where it keeps its defaults."""
        return dict(self.options.get(method, {}))


EFFORTS: dict[str, Effort] = {
    "quick": Effort(
        steps=5,
        options={
            "rise": {"masks": 96},
            "kernel_shap": {"masks": 96, "extra": 64, "words": 128},
            "lime": {"masks": 96},
            "fixlip": {"masks": 96, "words": 32},
            "occlusion": {"cells": 7},
            "m2ib": {"samples": 4},
            "nib": {"steps": 5},
            "smoothgrad": {"samples": 5},
            "integrated_gradients": {"steps": 8},
            "score_cam": {"channels": 32},
            "gscorecam": {"channels": 16},
            "convis": {"preset": "fast"},
            "semantic_priors": {"count": 6},
            "concepts": {"preset": "fast"},
            "segmentation": {"templates": "audit"},
            "priors": {"pictures": 6, "regions": 5},
            "information": {"pictures": 8, "samples": 3},
            "reliance": {"pictures": 12, "controls": 1, "masks": 32},
            "sanity": {"pictures": 4},
            "mosaic": {"mosaics": 4, "budget": 200},
            "word_maps": {"pictures": 6, "cells": 5, "masks": 96, "words": 32, "budget": 64},
        },
    ),
    "standard": Effort(
        steps=12,
        options={
            "rise": {"masks": 192},
            "kernel_shap": {"masks": 192, "extra": 128, "words": 256},
            "lime": {"masks": 192},
            "fixlip": {"masks": 192, "words": 64},
            "m2ib": {"samples": 5},
            "smoothgrad": {"samples": 10},
            "integrated_gradients": {"steps": 16},
            "score_cam": {"channels": 96},
            "gscorecam": {"channels": 32},
            "convis": {"preset": "fast"},
            "semantic_priors": {"count": 7},
            "concepts": {"preset": "fast"},
            "priors": {"pictures": 8, "regions": 6},
            "information": {"pictures": 12},
        },
    ),
    "thorough": Effort(steps=16, again=("blur", "road")),
}
