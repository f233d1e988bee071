"""The part of a class's score that regions carry alone, in its images and in others. No torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from core.applications.reliance.record import CORNERS, RelianceRecord
from core.statistics.looks import excess_at

COLUMNS = ("text", "place", "value", "low", "high", "n", "apart", "p", "own", "others", "gain", "images")


def alone_table(record: RelianceRecord, regions: Sequence[str], *, least: float, enough: int) -> pd.DataFrame:
    """Every class that is predicted for `enough` images and not for as many others, at each region; most excess first.

    At least `FEWEST_EACH`, below which a difference has no interval. Columns: those of `excess_table`.
    """
    return _tested(excess_table(record, regions, least=least), enough)


def corner_table(record: RelianceRecord, *, least: float, enough: int) -> pd.DataFrame:
    """The same for the mean over the four corners, as the region "corners"."""
    return _tested(excess_table(record, ("corners",), least=least), enough)


def excess_table(record: RelianceRecord, regions: Sequence[str], *, least: float) -> pd.DataFrame:
    """Every class that an image has as its best, at each region: what the region alone has of the class's score.

    The one computation of this share, for rules and profiles: its bounds are those of the look at which the record
    ended. Columns `text`, `place`; `value`, `low`, `high`: the share in the class's own images beyond other images,
    over what whole own images have (no bounds below `FEWEST_EACH` images of each); `n` own images whose score the image
    raises, `apart` other images; `p`, one-sided, that the excess is not above `least`; `own` and `others`, the two
    parts of `value`; `gain`, the mean of what whole own images have; `images`, the ids of the own ones.
    """
    rows = []
    for (text, region), part in _shown(record, regions).groupby(["text", "place"], sort=True):
        best = part["best"].astype(bool)
        mine = part[best & (part["total"] > 0)]
        if mine.empty:
            continue
        own, total = mine["shown"].to_numpy(float), mine["total"].to_numpy(float)
        others = part[~best]["shown"].to_numpy(float)
        low, high, p = excess_at(record.look, own, total, others, least) or (np.nan, np.nan, np.nan)
        gain, outside = float(total.mean()), float(others.mean()) if len(others) else 0.0
        rows.append(
            {"text": text, "place": region, "value": (own.mean() - outside) / gain, "low": low, "high": high}
            | {"n": len(own), "apart": len(others), "p": p, "own": own.mean() / gain, "others": outside / gain}
            | {"gain": gain, "images": frozenset(mine["image"])}
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _shown(record: RelianceRecord, regions: Sequence[str]) -> pd.DataFrame:
    """The rows of these regions shown alone; those of "corners" are means over the four."""
    rows = record.alone[record.alone["place"].isin(list(regions))]
    if "corners" not in regions:
        return rows
    four = record.alone[record.alone["place"].isin(list(CORNERS))]
    key = ["image", "image_name", "text", "best"]
    means = four.groupby(key, sort=False)[["shown", "total"]].mean().reset_index().assign(place="corners")
    return pd.concat([rows, means], ignore_index=True) if len(rows) else means


def _tested(table: pd.DataFrame, enough: int) -> pd.DataFrame:
    """The rows with bounds and `enough` images on both sides."""
    table = table[(table[["n", "apart"]].min(axis=1) >= enough) & table["low"].notna()]
    return table.sort_values("value", ascending=False, kind="stable", ignore_index=True)
