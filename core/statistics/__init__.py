"""Intervals, tests and families: one implementation of each, for everything that measures. No torch.

`docs/statistics.md` states the method, unit and smallest n of every quantity, with the simulated coverage.
"""

from core.statistics.families import Family, adjusted, holm
from core.statistics.intervals import (
    FEWEST,
    LEVEL,
    Interval,
    interval_of_means,
    intervals_of_groups,
    jackknife,
    jackknife_of,
    mean_bounds,
    mean_over_images,
    ratio_of_means,
)
from core.statistics.proportion import wilson
from core.statistics.ranks import FEWEST_PAIRS, rank_correlation, rank_vector, spearman
from core.statistics.shares import share_of_images
from core.statistics.significance import above_p, above_zero_p, permutation_p, sign_flip_p
from core.statistics.two_samples import auroc_bounds, difference_bounds

__all__ = [
    "FEWEST",
    "FEWEST_PAIRS",
    "LEVEL",
    "Family",
    "Interval",
    "above_p",
    "above_zero_p",
    "adjusted",
    "auroc_bounds",
    "difference_bounds",
    "holm",
    "interval_of_means",
    "intervals_of_groups",
    "jackknife",
    "jackknife_of",
    "mean_bounds",
    "mean_over_images",
    "permutation_p",
    "rank_correlation",
    "rank_vector",
    "ratio_of_means",
    "share_of_images",
    "sign_flip_p",
    "spearman",
    "wilson",
]
