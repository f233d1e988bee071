"""The mosaic pointing game: images set side by side, and whether a text's map lies on the image it belongs to.

Known as the grid pointing game (Boehle et al., CVPR 2021). It needs no drawn objects, only images with texts of their
own: which tile a text belongs to is known because we put it there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.applications.mosaic.layout import layout
from core.applications.mosaic.record import MapRow, MosaicRecord
from core.errors import InputError
from core.evaluation.localisation import energy, pointing
from core.runs.rows import typed
from core.statistics import mean_over_images, share_of_images
from core.statistics.families import Family
from core.statistics.intervals import SHARE, above_chance_p

MEASURES = ("share", "energy", "pointing")
MOSAICS = Family("mosaic", "skewness-corrected t test", "methods")


def tile_region(tile: int, tiles: int, size: tuple[int, int]) -> NDArray[np.bool_]:
    """The pixels `(rows, columns)` of a map of `size` that lie in a tile, by the middle of each pixel."""
    rows, columns = layout(tiles)
    if not 0 <= tile < tiles:
        raise InputError(f"tile {tile} of {tiles}; tiles are counted from 0")
    down = ((np.arange(size[0]) + 0.5) / size[0] * rows).astype(int) == tile // columns
    across = ((np.arange(size[1]) + 0.5) / size[1] * columns).astype(int) == tile % columns
    return np.logical_and.outer(down, across)


def share_in_tile(values: NDArray[Any], tile: int, tiles: int) -> dict[str, float | None]:
    """How much of a text's map `(rows, columns)` of a mosaic lies on its own image, its tile counted from 0.

    share: of the sum of positive values; energy: of the mass above the lowest value; pointing: 1 if the highest cell
    lies there, ties by their share. A map that knows nothing has the tile's part of the area on average: 1/tiles, for
    three 1/4. `share` is None where no value is positive. Cells that a border cuts go to the tile of their middle: give
    maps on a grid that the tiles divide, or enlarge them first.
    """
    found = np.asarray(values, dtype=np.float64)
    inside = tile_region(tile, tiles, (found.shape[0], found.shape[1]))
    positive = np.maximum(found, 0)
    share = float(positive[inside].sum() / positive.sum()) if positive.sum() > 0 else None
    return {"share": share, "energy": energy(found, inside), "pointing": pointing(found, inside)}


def halved(values: NDArray[Any]) -> NDArray[np.float64]:
    """A map with every cell cut in four, so that no cell of a 2 x 2 mosaic lies on both sides of a border."""
    return np.asarray(values, dtype=np.float64).repeat(2, axis=0).repeat(2, axis=1)


def text_table(record: MosaicRecord) -> pd.DataFrame:
    """One row a map of a text: `mosaic`, `tile`, `text`, `method`, and the `MEASURES` of `share_in_tile`."""
    rows = [
        {"mosaic": row.mosaic, "tile": row.tile, "text": row.text, "method": row.method}
        | share_in_tile(halved(record.grid(row)), row.tile, record.tiles)
        for row in typed(record.maps, MapRow)
    ]
    columns = ["mosaic", "tile", "text", "method", *MEASURES]
    return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(MEASURES, float))


def typical_text(record: MosaicRecord, methods: Sequence[str]) -> tuple[int, int] | None:
    """The mosaic and tile whose text has the median share in its tile, the mean over `methods`; of two the lower one.

    None where no text has a map of each method.
    """
    table = text_table(record)
    table = table[table["method"].isin(list(methods))]
    wide = table.pivot_table(index=["mosaic", "tile"], columns="method", values="share").dropna()
    if wide.empty or wide.shape[1] < len(set(methods)):
        return None
    ordered = wide.mean(axis=1).sort_values(kind="stable")
    mosaic, tile = ordered.index[(len(ordered) - 1) // 2]
    return int(mosaic), int(tile)


def mosaic_table(record: MosaicRecord) -> pd.DataFrame:
    """One row a method: means over mosaics of what `share_in_tile` tells of their texts, the largest share first.

    Columns `method`, `n` mosaics, and for each measure its mean, `_low` and `_high`; `p`, one-sided, that the share
    isn't above `record.chance`, adjusted over methods (Holm); before that it is below 0.025 exactly where the interval
    lies above chance. Neither is given below four mosaics.
    """
    frame = text_table(record)
    rows = []
    for method, part in frame.groupby("method", sort=False):
        each = part.groupby("mosaic")[list(MEASURES)].mean()
        told: dict[str, Any] = {"method": method, "n": len(each)}
        for measure in MEASURES:
            values, mosaics = each[measure].to_numpy(), each.index.to_numpy()
            if measure == "pointing":
                got = share_of_images(values, mosaics, counted="mosaics")
            else:
                got = mean_over_images(values, mosaics, counted="mosaics", within=SHARE)
            told |= {measure: got.value, f"{measure}_low": got.low, f"{measure}_high": got.high}
        rows.append(told | {"p": above_chance_p((each["share"] - record.chance).dropna().round(9).to_numpy())})
    spread = [f"{measure}{end}" for measure in MEASURES for end in ("", "_low", "_high")]
    table = pd.DataFrame(rows, columns=["method", "n", *spread, "p"]).astype(dict.fromkeys(spread, float))
    if len(table):
        table["p"] = MOSAICS.adjusted(table)
    return table.sort_values("share", ascending=False, kind="stable", ignore_index=True)
