"""What the points of the embedding map can be coloured by: what is known of each image, and how it was laid out."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import streamlit as st

from core.content.words import shorten
from core.runs import Run
from pages.parts import address
from pages.parts.image_values import Values, values_by_name


def choose(run: Run, points: pd.DataFrame) -> tuple[str, Values]:
    """The values that colour the points, by image, and what they are; the choice is part of the address."""
    offered = choices(run, points)
    key = f"colour-{run.id}"
    address.enter(key, "colour", list(offered), next(iter(offered)), str)
    name = st.selectbox("Colour by", list(offered), key=key, format_func=lambda name: shorten(name, 70))
    address.tell("colour", [name] if name != next(iter(offered)) else [])
    return name, offered[name]()


def choices(run: Run, points: pd.DataFrame) -> dict[str, Callable[[], Values]]:
    """What can colour the points of this run, by name, each computed when it is chosen."""
    offered = values_by_name(run, list(points["image"]))
    offered["neighbours preserved"] = lambda: dict(zip(points["image"], points["preserved"], strict=True))
    return offered
