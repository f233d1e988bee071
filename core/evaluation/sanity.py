"""Means of the sanity checks over pictures, with intervals. No torch."""

from __future__ import annotations

import pandas as pd

from core.applications.sanity_record import EVERY, MEASURES, SanityRecord
from core.statistics import Interval, mean_over_images
from core.statistics.intervals import CORRELATION

COLUMNS = ["method", "check", "variant", "value", "low", "high", "n"]


def mean(record: SanityRecord, method: str, check: str, variant: str = EVERY) -> Interval:
    """The mean over pictures of one check of one method, of one variant or of all, with its interval."""
    rows = record.of(method, check, variant)
    return mean_over_images(rows["value"].to_numpy(float), rows["image"].to_numpy(), within=CORRELATION)


def sanity_table(record: SanityRecord) -> pd.DataFrame:
    """One row a method, check and variant: `value` (mean over pictures), `low`, `high` and `n` pictures.

    Variant "all" stands for all variants of a check together. Methods come in the order of the plan.
    """
    rows = []
    for method in record.methods:
        for check in MEASURES:
            found = record.of(method, check)
            for variant in [EVERY, *(name for name in dict.fromkeys(found["variant"]) if name)]:
                got = mean(record, method, check, variant)
                if got.n:
                    rows.append({"method": method, "check": check, "variant": variant, **vars(got)})
    return pd.DataFrame(rows, columns=COLUMNS).astype({"value": float, "low": float, "high": float})
