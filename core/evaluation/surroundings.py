"""What places shown by themselves say of a class, in its pictures and in others. No torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t as student

from core.applications.reliance_record import CORNERS, RelianceRecord

Floats = NDArray[np.float64]


def alone_table(
    record: RelianceRecord, places: Sequence[str], *, least: float, enough: int, resamples: int, seed: int
) -> pd.DataFrame:
    """Every class that is the best of `enough` pictures and not of as many others, at each place; most excess first.

    Columns `text`, `place`; `value`, `low`, `high`: what the place alone has of the class's score in the class's own
    pictures beyond other pictures, over what whole own pictures have; `n` own pictures; `p`, one-sided, that the excess
    isn't above `least`; `own` and `others`, the two parts of `value`.
    """
    shown = record.alone[record.alone["place"].isin(list(places))]
    return _table(shown, least=least, enough=enough, resamples=resamples, seed=seed)


def corner_table(record: RelianceRecord, *, least: float, enough: int, resamples: int, seed: int) -> pd.DataFrame:
    """The same for the mean over the four corners, as the place "corners"."""
    rows = record.alone[record.alone["place"].isin(list(CORNERS))]
    key = ["image", "image_name", "text", "best"]
    means = rows.groupby(key, sort=False)[["shown", "total"]].mean().reset_index().assign(place="corners")
    return _table(means, least=least, enough=enough, resamples=resamples, seed=seed)


def _table(frame: pd.DataFrame, *, least: float, enough: int, resamples: int, seed: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    rows = []
    for (text, place), part in frame.groupby(["text", "place"], sort=True):
        best = part["best"].astype(bool)
        mine = best & (part["total"] > 0)
        own, total = part[mine]["shown"].to_numpy(float), part[mine]["total"].to_numpy(float)
        others = part[~best]["shown"].to_numpy(float)
        if len(own) < max(enough, 2) or len(others) < max(enough, 2):
            continue
        gain = total.mean()
        draws = [
            (own[at].mean() - others[random.integers(0, len(others), len(others))].mean()) / total[at].mean()
            for at in random.integers(0, len(own), (resamples, len(own)))
        ]
        low, high = np.quantile(draws, [0.025, 0.975])
        rows.append(
            {"text": text, "place": place, "value": (own.mean() - others.mean()) / gain, "low": low, "high": high}
            | {"n": len(own), "p": _above_p(own - least * total, others)}
            | {"own": own.mean() / gain, "others": others.mean() / gain}
        )
    columns = ["text", "place", "value", "low", "high", "n", "p", "own", "others"]
    return pd.DataFrame(rows, columns=columns).sort_values("value", ascending=False, kind="stable", ignore_index=True)


def _above_p(own: Floats, others: Floats) -> float:
    """One-sided p that the mean of `own` isn't above that of `others` (Welch, 1947)."""
    parts = own.var(ddof=1) / len(own), others.var(ddof=1) / len(others)
    error = float(np.sqrt(sum(parts)))
    gap = float(own.mean() - others.mean())
    if error < 1e-12:
        return 0.0 if gap > 0 else 1.0
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / (len(own) - 1) + parts[1] ** 2 / (len(others) - 1))
    return float(student.sf(gap / error, freedom))
