"""What the application `reliance` measured, read from its folder. No torch."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Annotated, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.applications.record import Record
from core.applications.reliance.rows import (
    AloneRow,
    CarrierRow,
    DeclaredRow,
    ImageRow,
    LookRow,
    NameRow,
    PlaceRow,
    RegionRow,
    StickerRow,
    TemplateRow,
    TextRow,
    TwinRow,
    WordRow,
)
from core.statistics.looks import Look

CORNERS = {
    "top left": "upper left corner",
    "top right": "upper right corner",
    "bottom left": "lower left corner",
    "bottom right": "lower right corner",
}  # messages
# Parts of the measures that may end before the others: what is hidden at fixed places, and printed words.
PLACES_PART, STICKERS_PART = "places", "stickers"
# Of the look of a cell.
FEATURES = 5
EDGES = ("border", *CORNERS)
REGIONS = {"border": "border", **CORNERS, "background": "background", "foreground": "foreground"}  # messages


@dataclass(frozen=True)
class RelianceRecord(Record):
    """What the scores of a run rest on.

    A score is a cosine minus the mean cosine of the audit's other texts ("contrast"; the cosine itself where there is
    only one text). `fall` is what it loses when a part is hidden, `control` the mean loss when the same shape is
    hidden elsewhere, `total` what the whole image has beyond an empty one.

    about: options, model, counts, how images were cut into regions, which texts.
    The tables are described in `SCHEMAS`.
    """

    images: Annotated[pd.DataFrame, ImageRow]
    regions: Annotated[pd.DataFrame, RegionRow]
    places: Annotated[pd.DataFrame, PlaceRow]
    stickers: Annotated[pd.DataFrame, StickerRow]
    templates: Annotated[pd.DataFrame, TemplateRow]
    texts: Annotated[pd.DataFrame, TextRow]
    words: Annotated[pd.DataFrame, WordRow]
    carriers: Annotated[pd.DataFrame, CarrierRow]
    twins: Annotated[pd.DataFrame, TwinRow]
    alone: Annotated[pd.DataFrame, AloneRow]
    names: Annotated[pd.DataFrame, NameRow] = field(default_factory=lambda: RelianceRecord.frame("names"))
    declared: Annotated[pd.DataFrame, DeclaredRow] = field(default_factory=lambda: RelianceRecord.frame("declared"))
    looks: Annotated[pd.DataFrame, LookRow] = field(default_factory=lambda: RelianceRecord.frame("looks"))

    NAME: ClassVar = "reliance"
    TITLE: ClassVar = "what the scores rest on"
    LATER: ClassVar = frozenset({"names", "declared", "looks"})

    def cells(self, row: RegionRow) -> NDArray[np.float64]:
        """The cells `(rows, columns)` of one row of `regions`, 1 inside."""
        return np.asarray(row.cells, dtype=float).reshape(int(row.rows), int(row.columns))

    @cached_property
    def cell_looks(self) -> tuple[list[str], NDArray[np.float64], tuple[int, int]]:
        """The images, the look of each cell `(images, cells, features)` in standard deviations over all of them, and
        the rows and columns of the cells.
        """
        table = self.looks
        if table.empty:
            return [], np.zeros((0, 1, FEATURES)), (1, 1)
        grid = int(table["rows"].iloc[0]), int(table["columns"].iloc[0])
        values = np.stack([np.asarray(row, dtype=np.float64) for row in table["values"]])
        looks = values.reshape(len(table), grid[0] * grid[1], FEATURES)
        spread = looks.std(axis=(0, 1))
        return list(table["image"]), looks / np.where(spread > 0, spread, 1.0), grid

    @property
    def look(self) -> Look:
        """Whether batches of images were added until the verdicts were settled, and whether that ended it early."""
        look: Look = self.about.get("design", {}).get("look", "only")
        return look

    def measured(self, part: str) -> RelianceRecord:
        """The record as rules on a part of the measures judge it: no image after the look that settled all of them.

        `part` is `PLACES_PART` or `STICKERS_PART`. The record itself where the part was measured to the end.
        """
        design = self.about.get("design", {})
        end = design.get("settled", {}).get(part)
        if end is None:
            return self
        images = self.images.iloc[:end]
        looks = self.looks[self.looks["image"].isin(images["image"])]
        about = {**self.about, "design": {**design, "look": "interim"}}
        return replace(self, about=about, images=images, looks=looks)

    @property
    def image_names(self) -> dict[str, str]:
        """The names of the images by id, in the order in which they were measured."""
        return dict(zip(self.images["image"], self.images["image_name"], strict=True))


of_run, load = RelianceRecord.of_run, RelianceRecord.load
