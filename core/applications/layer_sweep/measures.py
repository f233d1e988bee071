"""What the sweep over layers shows: nats, drop and increase in confidence by block, beside random maps. No torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.applications.layer_sweep.record import SIDES, BlockRow, LayerSweepRecord
from core.content.altair import alt
from core.content.charts import ACCENT, PALETTE, WIDTH, roomy, styled
from core.languages import say
from core.statistics import Interval, mean_over_images, share_of_images
from core.statistics.intervals import CORRELATION, NOT_NEGATIVE, SHARE, UNBOUNDED, Range

MAP, RANDOM = "map", "random map"  # messages
# The measures of a block that have a mean over images, with the range of their values.
MEANS: dict[str, Range] = {
    "nats": NOT_NEGATIVE,
    "cosine": CORRELATION,
    "drop": NOT_NEGATIVE,
    "random_drop": NOT_NEGATIVE,
    "gain": UNBOUNDED,
    "random_increase": SHARE,
    "more": CORRELATION,
}


def each_image(record: LayerSweepRecord) -> pd.DataFrame:
    """The rows of the record with `gain`, by how much less the score drops with the map than with random maps of the
    same values, and `more`, the increase less that of the random maps. NaN where a side has no such map.
    """
    rows = record.blocks.astype(dict.fromkeys(("drop", "random_drop", "increase", "random_increase"), float))
    return rows.assign(
        gain=rows["random_drop"] - rows["drop"],
        more=rows["increase"] - rows["random_increase"],
    )


def by_block(record: LayerSweepRecord) -> pd.DataFrame:
    """One row per side and block, in the order of the tower.

    Columns `side`, `block`, `default`, and of every measure of `MEANS` and of `increase` (a share of images) the mean
    over images under its name, with `_low`, `_high` and `_n`.
    """
    each = each_image(record)
    rows = []
    for side in record.sides:
        for block in record.about["blocks"][side]:
            part = each[(each["side"] == side) & (each["block"] == block)]
            row: dict[str, Any] = {"side": side, "block": block, "default": block == record.about["default"][side]}
            for name, got in _intervals(part).items():
                row |= {name: got.value, f"{name}_low": got.low, f"{name}_high": got.high, f"{name}_n": got.n}
            rows.append(row)
    return pd.DataFrame(rows)


def _intervals(part: pd.DataFrame) -> dict[str, Interval]:
    images = part["image"].to_numpy()
    means = {name: mean_over_images(part[name].to_numpy(float), images, within=MEANS[name]) for name in MEANS}
    return means | {"increase": share_of_images(part["increase"].to_numpy(float), images)}


def against_default(record: LayerSweepRecord, side: str, block: int) -> pd.DataFrame:
    """By how much more the map of `block` gains over random maps than the default block's, paired by image.

    One row per image: `image`, `image_name`, `text`, `value`.
    """
    each = each_image(record)
    each = each[each["side"] == side]
    there, usual = (each[each["block"] == at] for at in (block, record.about["default"][side]))
    paired = there.merge(usual[["image", "gain"]], on="image", suffixes=("", "_default"))
    return paired.assign(value=paired["gain"] - paired["gain_default"])[["image", "image_name", "text", "value"]]


def drops_chart(record: LayerSweepRecord) -> alt.HConcatChart:
    """The mean drop of each block with its map (dot) and with random maps of the same values (diamond), by side."""
    table = by_block(record)
    panels = []
    for side in record.sides:
        rows = [
            {"block": row.block, "what": what, "value": value, "low": low, "high": high}
            for row in table[table["side"] == side].itertuples()
            for what, value, low, high in (
                (say(MAP), row.drop, row.drop_low, row.drop_high),
                (say(RANDOM), row.random_drop, row.random_drop_low, row.random_drop_high),
            )
        ]
        panels.append(_panel(pd.DataFrame(rows), say(SIDES[side])))
    return styled(alt.hconcat(*panels, spacing=28))


def _panel(frame: pd.DataFrame, title: str) -> Any:
    kinds = [say(MAP), say(RANDOM)]
    scale = alt.Scale(domain=kinds, range=[ACCENT, PALETTE[1]])
    shapes = alt.Scale(domain=kinds, range=["circle", "diamond"])
    legend = alt.Legend(title=None, orient="top")
    x = alt.X("block:O", title=say("block before the bottleneck"), axis=alt.Axis(labelAngle=0))
    across = alt.XOffset("what:N", sort=kinds)
    base = alt.Chart(frame, title=title).encode(x=x, xOffset=across)
    colour = alt.Color("what:N", scale=scale, legend=legend)
    y = alt.Y("low:Q", title=say("drop of the cosine"), scale=roomy(frame["low"], frame["high"], frame["value"]))
    bars = base.mark_rule(strokeWidth=2).encode(y=y, y2="high:Q", color=colour)
    points = base.mark_point(filled=True, size=60, opacity=1).encode(
        y="value:Q",
        color=colour,
        shape=alt.Shape("what:N", scale=shapes, legend=legend),
        tooltip=["block", "what", alt.Tooltip("value", format=".3f")],
    )
    return alt.layer(bars, points).properties(width=(WIDTH - 130) // 2, height=170)


def grid(row: BlockRow) -> NDArray[np.float64]:
    """The map of a row (rows, columns); one row on the text side."""
    return np.asarray(row.map, dtype=np.float64).reshape(int(row.rows), int(row.columns))


def highlighted(values: NDArray[Any]) -> NDArray[np.bool_]:
    """The words that a text keeps: those whose value is above the median of all its words."""
    found: NDArray[np.bool_] = np.asarray(values) > np.median(values)
    return found
