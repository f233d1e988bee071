"""Semantic regions against simpler ones, paired by image and text. No torch."""

from __future__ import annotations

import pandas as pd

from core.applications.priors.record import PriorsRecord
from core.statistics import mean_over_images

BASELINES = ("superpixels", "grid")


def paired(record: PriorsRecord) -> pd.DataFrame:
    """Faithfulness of whole sentences, one row per value function, image and text, one column per prior."""
    whole = record.maps[record.maps["way"] == "sentence"]
    return whole.pivot_table(index=["value", "image", "text"], columns="prior", values="faithfulness").reset_index()


def differences(record: PriorsRecord) -> pd.DataFrame:
    """Semantic regions against each other way to cut, paired by image and text.

    Columns `value`, `prior`, the mean `difference` of faithfulness with `low` and `high`, and `n` images.
    """
    wide = paired(record)
    rows = []
    for value, part in wide.groupby("value", sort=False):
        for prior in BASELINES:
            if {"semantic", prior} <= set(part.columns):
                gap = (part["semantic"] - part[prior]).to_numpy()
                found = mean_over_images(gap, part["image"].to_numpy())
                rows.append((value, prior, found.value, found.low, found.high, found.n))
    return pd.DataFrame(rows, columns=["value", "prior", "difference", "low", "high", "n"]).astype(
        {"low": float, "high": float}
    )
