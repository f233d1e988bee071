"""The card of the method `brightness`. It never loads torch: plans, pages and reports read it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from core.methods import Cost, MethodInfo, Options


class BrightnessOptions(Options):
    """Options of the method."""

    channel: Literal["all", "red", "green", "blue"] = Field("all", description="the colour that is averaged")


CARD = MethodInfo(
    name="brightness",
    title="Brightness",
    paper="none; an example",
    year=2026,
    family="example",
    idea="The mean of the pixels of each patch, as the model receives them, times the score of the text.",
    assumes="That bright places matter, which is false; the controls of an audit show it.",
    fails="Everywhere: the map does not look at the model.",
    differs="There is no reference implementation.",
    unit="normalised pixel value x cosine",
    sides={"image": ("embeddings",)},
    schema=BrightnessOptions,
    cost_model=lambda options, depth: Cost(image=1.0),
    opt_in=True,
    module="loupe_brightness.maps",
)
