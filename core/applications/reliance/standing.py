"""Which names of concept regions stand: those that are shown to fit on held-out images. No torch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from core.applications.reliance.record import RelianceRecord, of_run
from core.languages import say
from core.rules import Context
from core.rules.thresholds import Thresholds
from core.statistics import auroc_bounds

UNNAMED = "unnamed"  # messages


def name_checks(record: RelianceRecord, thresholds: Thresholds) -> pd.DataFrame:
    """The table `names` with `low` and `high`, the interval of `area`, and `stands`.

    A name stands if `low` is above the least area, no other name is left open (`rivals`), it is near enough of its
    regions (`near`), and it is among the first that whole images lose without them (`lost`). Names of a record that
    lacks the last three do not stand.

    Columns `regions` and `images` count what bears the kind in the whole record; the largest kind comes first.
    """
    least, near, rank = (
        float(thresholds[f"reliance.names.{name}"]) for name in ("least_area", "least_near", "most_rank")
    )
    table = record.names.reset_index(drop=True)
    bounds = [
        (auroc_bounds(float(row.area), int(row.inside), int(row.outside)) if pd.notna(row.area) else None)
        or (np.nan, np.nan)
        for row in table.itertuples()
    ]
    table = table.join(pd.DataFrame(bounds, columns=["low", "high"], index=table.index, dtype=float))
    unique = record.regions.drop_duplicates(["image", "region"])
    counts = unique.groupby("kind").agg(regions=("image", "size"), images=("image", "nunique"))
    alone = pd.Series([each is not None and not len(each) for each in table["rivals"]], index=table.index, dtype=bool)
    agreed = (table["near"].astype(float) >= near) & (table["lost"].astype(float) <= rank)
    stands = (table["low"] > least) & agreed & alone
    return table.assign(stands=stands).join(counts, on="kind")


def kind_title(kind: int) -> str:
    """What a kind without a name that stands is called: by its number, from 1."""
    return f"{UNNAMED} {kind + 1}"


def concept_title(concept: str) -> str:
    """How a concept of a table is printed: that of a kind without a name in the language of the report."""
    unnamed, _, number = concept.partition(" ")
    return f"{say(UNNAMED)} {number}" if unnamed == UNNAMED and number.isdecimal() else concept


def standing(context: Context) -> RelianceRecord | None:
    """The record of a run in which only names that stand are names; None if it was not computed.

    Any other kind of region is called by its number. Whether it is related to a text is not known: `related` is NaN.
    """
    return context.once(_standing)


def _standing(context: Context) -> RelianceRecord | None:
    record = context.record(of_run)
    if record is None:
        return None
    checks = name_checks(record, context.thresholds)
    good = set(checks.loc[checks["stands"], "kind"])
    regions = record.regions
    lost = ~regions["kind"].isin(good)
    titles = regions["kind"].map(lambda kind: kind_title(int(kind)))
    return replace(
        record,
        regions=regions.assign(
            concept=regions["concept"].where(~lost, titles),
            related=regions["related"].where(~lost, np.nan),
            kin=regions["kin"].astype(bool) & ~lost,
        ),
    )
