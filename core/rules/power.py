"""What an undecided rule would have shown, and how many units would decide it: one sentence for every rule."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass, replace
from typing import Any

from core.deferred import Deferred
from core.languages import localised, say, typeset
from core.rules.decision import MOST_NEEDED
from core.rules.parts import Estimate, known
from core.statistics import wilson
from core.statistics.intervals import FEWEST, SHARE, UNBOUNDED, Range
from core.statistics.power import POWER, detectable_mean

beta = Deferred("scipy.stats", "beta")
binom = Deferred("scipy.stats", "binom")
norm = Deferred("scipy.stats", "norm")
student = Deferred("scipy.stats", "t")

# What one end of a 95 % interval may miss.
ONE_SIDE = 0.025


@dataclass(frozen=True)
class Against:
    """The limit that an estimate is compared with, and how.

    at_most: whether the criterion is that the value is at most the limit, or at least.
    tests: how many comparisons share the significance; a finding needs all of them to be adjusted for.
    both: whether a passed check needs that as well, by the same test in two directions.
    percent: whether values are shares that are printed in percent.
    counts: whether the value is the share of units that have a property: its power is exact (binomial).
    within: the range of the values; nothing outside is stated as detectable. A value at an end of it tells nothing of
    the spread, so that its power is that of a share of units.
    """

    limit: float
    at_most: bool = True
    tests: int = 1
    percent: bool = False
    counts: bool = False
    both: bool = False
    within: Range = UNBOUNDED


@dataclass(frozen=True)
class Power:
    """The value beyond the limit that would have been a finding with 90 % power, the one as far on the other side of
    the limit, and about how many units would decide.

    `needed` is rounded up to two significant figures; None where the value is as good as on the limit.
    """

    detectable: float
    opposite: float
    needed: int | None


def _exact(estimate: Estimate, against: Against) -> Against:
    """`against` with the power of a share of units where a share lies at the end of its range."""
    at_end = against.within == SHARE and known(estimate.value) in SHARE
    return replace(against, counts=True) if at_end else against


def power_of(estimate: Estimate, against: Against, significance: float) -> Power | None:
    """The power of a comparison of a mean, from the width of its interval; None without an interval.

    As Holm's method compares the smallest p of m with significance / m, that is what a single finding has to reach; it
    also needs its whole interval beyond the limit.
    """
    against = _exact(estimate, against)
    low, high, value = known(estimate.low), known(estimate.high), known(estimate.value)
    if low is None or high is None or value is None or estimate.n < 2 or high <= low:
        return None
    error = min(significance / max(against.tests, 1), ONE_SIDE)
    spread = (high - low) / 2 / float(student.isf(ONE_SIDE, estimate.n - 1)) * math.sqrt(estimate.n)
    shift = detectable_mean(spread, estimate.n, error)
    if against.counts:
        shift = detectable_share(against, estimate.n, significance) - against.limit
    if shift is None:
        return None
    beyond = value > against.limit if against.at_most else value < against.limit
    reach = float(norm.isf(error if beyond or against.both else ONE_SIDE) + norm.ppf(POWER))
    distance = abs(value - against.limit)
    count = (spread * reach / distance) ** 2 if distance > 0 else math.inf
    needed = _two_figures(max(count, estimate.n + 1)) if count <= MOST_NEEDED else None
    shift = shift if against.at_most else -shift
    return Power(against.limit + shift, against.limit - shift, needed)


def power_sentence(
    estimate: Estimate, against: Against, significance: float, unit: str = "images", least_n: int = 0
) -> str:
    """What would have been shown with 90 % power, and how many units would decide; empty without an interval, unless
    the units are too few for one.

    With fewer than `least_n` units nothing is ever shown, and no smaller number is needed.
    """
    against = _exact(estimate, against)
    power = power_of(estimate, against, significance)
    if power is None:
        too_few = known(estimate.low) is None and estimate.n < FEWEST
        return no_interval(estimate.n, unit) if too_few else ""
    if against.counts:
        if against.limit >= 1:
            return ""
        fewest = fewest_units(against, significance)
        if estimate.n < fewest:
            return say(
                "Not even a share of 100 % of {n} {unit} would have been a finding{family}: that takes at least "
                "{fewest:,} {unit}.",
                n=estimate.n,
                unit=say(unit),
                family=_family(against),
                fewest=fewest,
            )
        least_n = max(least_n, fewest)
    needed = (
        say("more than can be stated")
        if power.needed is None
        else say("about {count:,} {unit}", count=max(power.needed, least_n), unit=say(unit))
    )
    values = {"n": estimate.n, "unit": say(unit), "needed": needed}
    if estimate.n < least_n:
        return say(
            "With {n} {unit}, no value could have been a finding. Needed to decide with 90 % power, if value and "
            "spread stay the same: {needed}.",
            **values,
        )
    if not against.within[0] <= power.detectable <= against.within[1]:
        return say("Needed to decide with 90 % power, if value and spread stay the same: {needed}.", needed=needed)
    values |= {"value": _printed(power.detectable, against), "family": _family(against)}
    if against.both:
        return _either(power, against, values)
    if against.at_most:
        return say(
            "With {n} {unit}, a value above about {value} would have been a finding with 90 % power{family}. Needed to "
            "decide with the same power, if value and spread stay the same: {needed}.",
            **values,
        )
    return say(
        "With {n} {unit}, a value below about {value} would have been a finding with 90 % power{family}. Needed to "
        "decide with the same power, if value and spread stay the same: {needed}.",
        **values,
    )


def _either(power: Power, against: Against, values: dict[str, Any]) -> str:
    """The sentence for a test in both directions, which may end as a finding or as a passed check."""
    values |= {"opposite": _printed(power.opposite, against)}
    if against.at_most:
        return say(
            "With {n} {unit}, a value above about {value} would have been a finding and one below about {opposite} "
            "would have passed, each with 90 % power{family}. Needed to decide with the same power, if value and "
            "spread stay the same: {needed}.",
            **values,
        )
    return say(
        "With {n} {unit}, a value below about {value} would have been a finding and one above about {opposite} would "
        "have passed, each with 90 % power{family}. Needed to decide with the same power, if value and spread stay the "
        "same: {needed}.",
        **values,
    )


def no_interval(n: int, unit: str) -> str:
    """The sentence for fewer units than any interval of a mean takes."""
    return say(
        "At n = {n} there is no interval, and without one there is no verdict; at least {least} {unit} are needed.",
        n=n,
        least=FEWEST,
        unit=say(unit),
    )


def _counted(against: Against, n: int, significance: float) -> int | None:
    """The fewest of `n` units whose share is a finding: Wilson's interval above the limit, and an exact p that is
    significant among all tests; None where not even n of n are.
    """
    error = significance / max(against.tests, 1)

    def shown(hits: int) -> bool:
        return wilson(hits, n)[0] > against.limit and bool(binom.sf(hits - 1, n, against.limit) < error)

    hits = bisect_left(range(n + 1), True, key=shown)
    return hits if hits <= n else None


def detectable_share(against: Against, n: int, significance: float) -> float:
    """The share of all units at which `n` of them would be a finding with 90 % power; infinite where none would."""
    hits = _counted(against, n, significance)
    return math.inf if hits is None else float(beta.ppf(POWER, hits, n - hits + 1))


def fewest_units(against: Against, significance: float) -> int:
    """The fewest units that can show a share above the limit, which is below 1: if all of them have the property."""
    every = range(MOST_NEEDED)
    return bisect_left(every, True, lo=1, key=lambda n: _counted(against, n, significance) is not None)


def _family(against: Against) -> str:
    return say(", adjusted for {tests} comparisons", tests=against.tests) if against.tests > 1 else ""


def _printed(value: float, against: Against) -> str:
    if against.percent:
        return localised(typeset(f"{value:.0%}"))
    return localised(typeset(f"{float(f'{value:.2g}'):{'+g' if against.both else 'g'}}"))


def _two_figures(count: float) -> int:
    """Rounded up to two significant figures."""
    unit = 10 ** max(math.floor(math.log10(count)) - 1, 0)
    return math.ceil(count / unit - 1e-9) * int(unit)
