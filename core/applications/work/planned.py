"""The planned methods as an application runs them: which ones, with which options, and what becomes of a failure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from core.attribution.contract import Work
from core.attribution.explain import attribute
from core.errors import CapabilityError, InputError, first_line
from core.methods import METHODS, MethodInfo
from core.models.geometry import Geometry
from core.storage import without_folders

FAILURES = (
    InputError,
    CapabilityError,
    ArithmeticError,
    torch.OutOfMemoryError,
    torch.linalg.LinAlgError,
)


def maps_images(name: str, capabilities: frozenset[str]) -> bool:
    """Whether a method explains images on a model of these capabilities."""
    info = METHODS[name]
    return "image" in info.sides and info.reasons(capabilities)["image"] is None


def options_of(info: MethodInfo, planned: Mapping[str, Any], effort: str) -> dict[str, Any]:
    """What a method runs with: the planned options, or with the effort "quick" cheaper ones.

    Own texts are no label set: each stands on its own.
    """
    options = dict(planned) if effort == "planned" else cheaper(info, planned)
    if info.label_set and options.get("mode", "auto") == "auto":
        options["mode"] = "single"
    return options


def cheaper(info: MethodInfo, planned: Mapping[str, Any]) -> dict[str, Any]:
    """The planned options, none more expensive than in the quick effort, coarser where the card says how."""
    told = info.parse(planned).model_dump()
    options = dict(planned)
    for name, cheap in {**info.preset("quick"), **info.coarse}.items():
        now = told[name]
        number = isinstance(now, int | float) and not isinstance(now, bool)
        # 0 stands for the model's own grid, the finest.
        options[name] = min(now, cheap) if number and now > 0 else cheap
    return options


def maps_of(
    work: Work, name: str, geometry: list[Geometry], options: Mapping[str, Any]
) -> tuple[NDArray[Any] | None, str]:
    """A method's maps `(texts, rows, columns)` of the one image of `work`, or None and the line that says why."""
    try:
        made = attribute(work, name, geometry, sides=["image"], **options).image
    except FAILURES as error:
        return None, without_folders(first_line(error))
    assert made is not None
    return (made[0], "") if np.isfinite(made).all() else (None, "non-finite values")
