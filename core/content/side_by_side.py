"""What an application says of several models on the same images: sentences, charts, tables and the values. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from core.content.parts import Table


@dataclass(frozen=True)
class Drawing:
    """A chart: a short name that a file may have, its SVG, its alternate text and its caption."""

    name: str
    svg: str
    alt: str
    caption: str


@dataclass(frozen=True)
class SideBySide:
    """The comparison of several models by one application.

    frames: the values behind the tables and charts, by a short name that a file may have.
    """

    title: str
    sentences: tuple[str, ...]
    tables: tuple[Table, ...]
    drawings: tuple[Drawing, ...]
    frames: Mapping[str, pd.DataFrame]
