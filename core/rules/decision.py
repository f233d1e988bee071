"""Whether an interval decides a criterion: passed means shown to hold, a finding that it is shown to be missed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from core.rules.finding import Status
from core.rules.parts import Estimate, known, names_of

Decision = Literal["holds", "fails", "undecided", "too few"]
# More images than this are not suggested: the value is as good as on its limit.
MOST_NEEDED = 1_000_000


def decision(estimate: Estimate, limit: float, *, at_most: bool, least_n: int) -> Decision:
    """Whether the whole interval lies within the criterion, beyond it, or on both sides of `limit`.

    "too few" where the estimate rests on fewer than `least_n` units or has no interval.
    """
    low, high = known(estimate.low), known(estimate.high)
    if estimate.n < least_n or low is None or high is None:
        return "too few"
    if high <= limit if at_most else low >= limit:
        return "holds"
    return "fails" if (low > limit if at_most else high < limit) else "undecided"


def status_of(decisions: Iterable[Decision]) -> Status:
    """A finding if one fails, passed if all hold, otherwise it cannot be concluded."""
    every = set(decisions)
    return "finding" if "fails" in every else "passed" if every == {"holds"} else "cannot_conclude"


@dataclass(frozen=True)
class Decisions:
    """What was decided of each method, in order: the counts and names that the wordings of a rule print."""

    of: dict[str, Decision] = field(default_factory=dict)

    def names(self, *decisions: Decision) -> list[str]:
        """The methods with one of these decisions."""
        return [name for name, decided in self.of.items() if decided in decisions]

    @property
    def tested(self) -> list[str]:
        """The methods that were measured on enough units."""
        return self.names("holds", "fails", "undecided")

    @property
    def status(self) -> Status:
        """Of the rule, from the methods that were tested."""
        return status_of(self.of[name] for name in self.tested)

    @property
    def values(self) -> dict[str, object]:
        """Counts (`passing`, `failing`, `undecided`, `tested`) and names (`holds`, `fails`, `open`, `few`)."""
        return {
            "passing": len(self.names("holds")),
            "failing": len(self.names("fails")),
            "undecided": len(self.names("undecided")),
            "tested": len(self.tested),
            "holds": names_of(self.names("holds")),
            "fails": names_of(self.names("fails")),
            "open": names_of(self.names("undecided")),
            "few": names_of(self.names("too few")),
        }
