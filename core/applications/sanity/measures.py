"""Means of the sanity checks over images, with intervals. No torch."""

from __future__ import annotations

import pandas as pd

from core.applications.sanity.record import EVERY, MEASURES, SanityRecord
from core.statistics import Interval, mean_over_images
from core.statistics.intervals import CORRELATION, UNBOUNDED

# What is a ratio of spreads, a relative change or a difference of scores, and no correlation.
UNLIMITED = frozenset({"noise", "sensitivity", "paraphrase_score"})
COLUMNS = ["method", "check", "variant", "value", "low", "high", "n"]


def mean(record: SanityRecord, method: str, check: str, variant: str = EVERY) -> Interval:
    """The mean over images of one check of one method, of one variant or of all, with its interval."""
    rows = record.of(method, check, variant)
    within = UNBOUNDED if check in UNLIMITED else CORRELATION
    return mean_over_images(rows["value"].to_numpy(float), rows["image"].to_numpy(), within=within)


def sanity_table(record: SanityRecord) -> pd.DataFrame:
    """One row per method, check and variant: `value` (mean over images), `low`, `high` and `n` images.

    Variant "all" stands for all variants of a check together. Methods come in the order of the plan.
    """
    rows = []
    for method in record.methods:
        for check in MEASURES:
            variants = dict.fromkeys(record.of(method, check)["variant"])
            for variant in [EVERY, *(name for name in variants if name)]:
                estimate = mean(record, method, check, variant)
                if estimate.n:
                    rows.append({"method": method, "check": check, "variant": variant, **vars(estimate)})
    return pd.DataFrame(rows, columns=COLUMNS).astype({"value": float, "low": float, "high": float})
