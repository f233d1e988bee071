"""What the application `embedding_map` computed, read from its folder. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import pandas as pd

from core.applications.record import Record
from core.runs.rows import ImageId, ImageName, Number, OptionalNumber, Row, Text, Whole

# The control: the positions of a layout in random order.
RANDOM = "random positions"  # messages


class PointRow(Row):
    """One row per image."""

    image: ImageId
    image_name: ImageName
    x: Annotated[Number, "horizontal position, from -1 to 1"]
    y: Annotated[Number, "vertical position, in the unit of x"]
    preserved: Annotated[OptionalNumber, "share of its nearest images in the layout that are nearest by embedding too"]


class LayoutRow(Row):
    """One row per layout and measure of its faithfulness."""

    layout: Annotated[Text, "t-SNE, principal components or random positions"]
    measure: Annotated[Text, "preserved (share of nearest images) or trustworthiness"]
    value: Annotated[OptionalNumber, "mean over images"]
    low: Annotated[OptionalNumber, "lower end of its 95 % interval"]
    high: Annotated[OptionalNumber, "upper end"]
    n: Annotated[Whole, "number of images"]


@dataclass(frozen=True)
class LayoutRecord(Record):
    """The layout of a run's images.

    about: options, model, the method of the layout and why it was chosen, and the number of images and of neighbours.
    """

    points: Annotated[pd.DataFrame, PointRow]
    layouts: Annotated[pd.DataFrame, LayoutRow]

    NAME = "embedding_map"
    TITLE = "the embedding map"
