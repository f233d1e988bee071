"""Means of the sanity checks over pictures, with intervals. No torch."""

from __future__ import annotations

from typing import Any

import pandas as pd

from core.applications.sanity_record import EVERY, MEASURES, SanityRecord
from core.evaluation.statistics import Interval, bootstrap_mean

COLUMNS = ["method", "check", "variant", "value", "low", "high", "n"]


def mean(record: SanityRecord, method: str, check: str, variant: str = EVERY, **settings: Any) -> Interval:
    """The mean over pictures of one check of one method, of one variant or of all, with its bootstrap interval.

    `settings` are those of `bootstrap_mean`: resamples and seed.
    """
    rows = record.of(method, check, variant)
    return bootstrap_mean(rows["value"].to_numpy(float), rows["image"].to_numpy(), **settings)


def sanity_table(record: SanityRecord, *, resamples: int = 1000, seed: int = 0) -> pd.DataFrame:
    """One row a method, check and variant: `value` (mean over pictures), `low`, `high` and `n` pictures.

    Variant "all" stands for all variants of a check together. Methods come in the order of the plan.
    """
    rows = []
    for method in record.methods:
        for check in MEASURES:
            found = record.of(method, check)
            for variant in [EVERY, *(name for name in dict.fromkeys(found["variant"]) if name)]:
                got = mean(record, method, check, variant, resamples=resamples, seed=seed)
                if got.n:
                    rows.append({"method": method, "check": check, "variant": variant, **vars(got)})
    return pd.DataFrame(rows, columns=COLUMNS).astype({"value": float, "low": float, "high": float})
