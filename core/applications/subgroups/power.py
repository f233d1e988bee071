"""What the comparison of the smallest groups can show."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from scipy.stats import mannwhitneyu

from core.applications.subgroups.comparisons import Effect
from core.content.words import percent
from core.languages import say
from core.rules.decision import MOST_NEEDED
from core.statistics import LEVEL
from core.statistics.power import POWER
from core.statistics.two_samples import auroc_bounds

_Z, _POWER = NormalDist().inv_cdf((1 + LEVEL) / 2), NormalDist().inv_cdf(POWER)


def smallest_shown(every: Sequence[Effect], tested: int, limit: float, significance: float) -> str:
    """Which effect on the smallest groups is reported in 90 of 100 cases, as the end of a sentence.

    `tested` comparisons are adjusted for together. The error of the effect is that without a difference (Mann and
    Whitney, 1947), which is too large near a complete separation: there the sentence says only whether that itself
    would be reported.
    """
    n, others = _smallest(every)
    corrected = NormalDist().inv_cdf(1 - significance / tested / 2) if significance else float("inf")
    error = _error(n, others)
    detectable = max(limit + (_Z + _POWER) * error, 0.5 + (corrected + _POWER) * error)
    if detectable < 1:
        return say(
            "an effect of {share} of pairs is the smallest with a 90 % probability of being reported",
            share=percent(detectable),
        )
    if _separation_is_reported(n, others, tested, limit, significance):
        return say("only an effect close to 100 % of pairs has a 90 % probability of being reported")
    return say("not even an effect of 100 % of pairs would be reported")


def images_for_none(every: Sequence[Effect], limit: float) -> int:
    """With how many images, in groups of the same proportions, an effect of 0.5 is shown to lie within the limit in 90
    of 100 cases, in the comparison of the smallest groups.
    """
    n, others = _smallest(every)
    if limit <= 0.5:
        return MOST_NEEDED
    images = (n + others) * ((_Z + _POWER) * _error(n, others) / (limit - 0.5)) ** 2
    return int(min(np.ceil(images), MOST_NEEDED))


def _smallest(every: Sequence[Effect]) -> tuple[int, int]:
    smallest = min(every, key=lambda effect: (min(effect.n, effect.others), effect.n + effect.others))
    return smallest.n, smallest.others


def _error(n: int, others: int) -> float:
    return float(np.sqrt((n + others + 1) / (12 * n * others)))


def _separation_is_reported(n: int, others: int, tested: int, limit: float, significance: float) -> bool:
    """Whether groups of which one has all the higher values would be a finding."""
    bounds = auroc_bounds(1.0, n, others)
    p = float(mannwhitneyu(np.arange(others, others + n), np.arange(others), alternative="two-sided").pvalue)
    return bounds is not None and bounds[0] > limit and min(1.0, p * tested) < significance
