"""What a test of a mean would have detected: the smallest effect with a stated power."""

from __future__ import annotations

import math

from core.deferred import Deferred

brentq = Deferred("scipy.optimize", "brentq")
nct = Deferred("scipy.stats", "nct")
student = Deferred("scipy.stats", "t")


POWER = 0.9


def detectable_mean(spread: float, n: int, significance: float, power: float = POWER) -> float | None:
    """The smallest mean above 0 that a one-sided t test of `n` values detects with this power.

    `spread` is the standard deviation of the values, `significance` that of the single test. By the noncentral t
    distribution (Student's t under a mean that is not 0). None below two values.
    """
    if n < 2 or not math.isfinite(spread):
        return None
    if spread <= 0:
        return 0.0
    limit = float(student.isf(significance, n - 1))

    def lacking(shift: float) -> float:
        return float(nct.sf(limit, n - 1, shift)) - power

    most = limit + 10.0
    while lacking(most) < 0:
        most *= 2
    return float(brentq(lacking, 0.0, most)) * spread / math.sqrt(n)
