"""What the application `mosaic` measured, read from its folder. No torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.applications.mosaic_picture import layout
from core.errors import RunError
from core.runs import Run

FOLDER = Path("applications") / "mosaic"
MAPS, ABOUT = "maps.parquet", "about.json"
# One row a mosaic, tile and method.
COLUMNS = ("mosaic", "tile", "image", "image_name", "text", "method", "rows", "columns", "map")


@dataclass(frozen=True)
class MosaicRecord:
    """The maps of a run's mosaics.

    about: options, model, counts, how texts were chosen; `methods` has for each method its options and on how many
        mosaics it was run; `problems` lists explanations that failed as [method, mosaic, reason].
    maps: `COLUMNS`. `map` `(rows, columns)`, flat, explains the text of the picture in this tile on the whole mosaic.
        Over the tiles of a mosaic a map that doesn't depend on the text has `chance` of its values in the right ones.
    """

    about: dict[str, Any]
    maps: pd.DataFrame

    @property
    def tiles(self) -> int:
        """Pictures a mosaic."""
        return int(self.about["tiles"])

    @property
    def chance(self) -> float:
        """A tile's part of the mosaic, which is what a map without knowledge has in it on average."""
        rows, columns = layout(self.tiles)
        return 1 / (rows * columns)

    def grid(self, row: Any) -> NDArray[np.float64]:
        """The map of one row `(rows, columns)`."""
        return np.asarray(row.map, dtype=np.float64).reshape(int(row.rows), int(row.columns))

    def pictures(self, mosaic: int) -> tuple[str, ...]:
        """The ids of a mosaic's pictures in the order of their tiles."""
        part = self.maps[self.maps["mosaic"] == mosaic].drop_duplicates("tile").sort_values("tile")
        return tuple(part["image"])


def of_run(run: Run) -> MosaicRecord | None:
    """The run's record, or None if it was not computed."""
    folder = run.folder / FOLDER
    return load(folder) if folder.is_dir() else None


def load(folder: Path) -> MosaicRecord:
    """The record in `folder`. Raises `RunError` if it is missing or damaged."""
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        return MosaicRecord(about, pd.read_parquet(folder / MAPS))
    except (OSError, ValueError) as error:
        raise RunError(f"{folder} holds no complete record of mosaics; run it again ({error})") from error
