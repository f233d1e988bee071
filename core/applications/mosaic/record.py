"""What the application `mosaic` measured, read from its folder. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.applications.mosaic.layout import layout
from core.applications.record import Record
from core.runs.rows import ImageName, Numbers, Row, Text, Whole


class MapRow(Row):
    """One row per mosaic, tile and method."""

    mosaic: Annotated[Whole, "number of the mosaic, from 0"]
    tile: Annotated[Whole, "number of the tile, row by row from the top left, from 0"]
    image: Annotated[Text, "content id of the image in the tile"]
    image_name: ImageName
    text: Annotated[Text, "its text, which the map explains on the whole mosaic"]
    method: Annotated[Text, "method that made the map"]
    rows: Annotated[Whole, "rows of the map"]
    columns: Annotated[Whole, "columns of the map"]
    map: Annotated[Numbers, "raw map of the mosaic, row by row, sign kept"]


@dataclass(frozen=True)
class MosaicRecord(Record):
    """The maps of a run's mosaics.

    about: options, model, counts, how texts were chosen; `methods` has for each method its options and on how many
        mosaics it was run; `problems` lists explanations that failed as [method, mosaic, reason].
    maps: one row per mosaic, tile and method. Over the tiles of a mosaic, a map that does not depend on the text has
        `chance` of its values in the right ones.
    """

    maps: Annotated[pd.DataFrame, MapRow]

    NAME: ClassVar = "mosaic"
    TITLE: ClassVar = "mosaics"

    @property
    def tiles(self) -> int:
        """Images a mosaic."""
        return int(self.about["tiles"])

    @property
    def chance(self) -> float:
        """A tile's part of the mosaic, which is what a map without knowledge has in it on average."""
        rows, columns = layout(self.tiles)
        return 1 / (rows * columns)

    def grid(self, row: MapRow) -> NDArray[np.float64]:
        """The map of one row `(rows, columns)`."""
        return np.asarray(row.map, dtype=np.float64).reshape(int(row.rows), int(row.columns))

    def images(self, mosaic: int) -> tuple[str, ...]:
        """The ids of a mosaic's images in the order of their tiles."""
        part = self.maps[self.maps["mosaic"] == mosaic].drop_duplicates("tile").sort_values("tile")
        return tuple(part["image"])


of_run, load = MosaicRecord.of_run, MosaicRecord.load
