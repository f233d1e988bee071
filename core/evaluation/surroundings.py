"""What places shown by themselves say of a class, in its pictures and in others. No torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.applications.reliance_record import CORNERS, RelianceRecord
from core.statistics import above_p
from core.statistics.two_samples import excess_bounds

Floats = NDArray[np.float64]


def alone_table(record: RelianceRecord, places: Sequence[str], *, least: float, enough: int) -> pd.DataFrame:
    """Every class that is the best of `enough` pictures and not of as many others, at each place; most excess first.

    At least `FEWEST_EACH`, below which a difference has no interval.

    Columns `text`, `place`; `value`, `low`, `high`: what the place alone has of the class's score in the class's own
    pictures beyond other pictures, over what whole own pictures have; `n` own pictures; `p`, one-sided, that the excess
    isn't above `least`; `own` and `others`, the two parts of `value`.
    """
    shown = record.alone[record.alone["place"].isin(list(places))]
    return _table(shown, least=least, enough=enough)


def corner_table(record: RelianceRecord, *, least: float, enough: int) -> pd.DataFrame:
    """The same for the mean over the four corners, as the place "corners"."""
    rows = record.alone[record.alone["place"].isin(list(CORNERS))]
    key = ["image", "image_name", "text", "best"]
    means = rows.groupby(key, sort=False)[["shown", "total"]].mean().reset_index().assign(place="corners")
    return _table(means, least=least, enough=enough)


def _table(frame: pd.DataFrame, *, least: float, enough: int) -> pd.DataFrame:
    rows = []
    for (text, place), part in frame.groupby(["text", "place"], sort=True):
        best = part["best"].astype(bool)
        mine = best & (part["total"] > 0)
        own, total = part[mine]["shown"].to_numpy(float), part[mine]["total"].to_numpy(float)
        others = part[~best]["shown"].to_numpy(float)
        bounds = excess_bounds(own, total, others)
        if min(len(own), len(others)) < enough or bounds is None:
            continue
        gain = total.mean()
        low, high = bounds
        rows.append(
            {"text": text, "place": place, "value": (own.mean() - others.mean()) / gain, "low": low, "high": high}
            | {"n": len(own), "p": above_p(own - least * total, others)}
            | {"own": own.mean() / gain, "others": others.mean() / gain}
        )
    columns = ["text", "place", "value", "low", "high", "n", "p", "own", "others"]
    return pd.DataFrame(rows, columns=columns).sort_values("value", ascending=False, kind="stable", ignore_index=True)
