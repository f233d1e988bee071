"""Phrases that the chapters of several applications print, in the language of the report. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from core.content.words import amount
from core.languages import localised, say

# The distribution of the noise of a bottleneck, as records name it.
PRIORS = {"standard": "standard", "channel": "channel"}  # messages


def passes(about: Mapping[str, Any]) -> str:
    """How many forward passes of either tower a record took."""
    return say(
        "{image:,.0f} of the image tower, {text:,.0f} of the text tower",
        image=about["image_forwards"],
        text=about["text_forwards"],
    )


def own_text(own: str) -> str:
    """What the own text of an image is, by the rule of `core.applications.work.own_texts`."""
    return say("its first caption") if own == "captions" else say("the prompt or class that the model ranks first")


def raw_range(low: float, high: float) -> str:
    """The range of the values of a map: `raw 0.1 to 0.4`."""
    return say("raw {low} to {high}", low=amount(low), high=amount(high))


def listed(values: Iterable[float]) -> str:
    """Numbers in a row: `0.1, 3`; with semicolons where the comma is a decimal sign."""
    return say(", ").join(localised(f"{value:g}") for value in values)
