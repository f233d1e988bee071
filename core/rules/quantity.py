"""What a number of evidence is: its title, its unit and what its n counts, declared once. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core.evaluation.metrics import BY_NAME
from core.languages import voice
from core.rules.finding import Number
from core.rules.parts import Estimate, known
from core.statistics.families import Family


@dataclass(frozen=True)
class Quantity:
    """A quantity that rules measure.

    title: may hold names in braces, which `of` and `at` fill.
    unit: of the value; empty for shares and other pure numbers.
    counted: what its n counts; by default what the n of the finding counts, which is on the card of the rule.
    tests: the family in which a p-value of it is adjusted, where an estimate does not name one itself; without one, no
        p-value is part of the evidence.
    """

    title: str
    unit: str = ""
    counted: str = ""
    tests: Family | None = None

    def of(self, estimate: Estimate, **names: Any) -> Number:
        """An estimate, such as a row of a table, as evidence: with its interval and its `p_adjusted` where known."""
        number = self.at(estimate.value, int(estimate.n), estimate.low, estimate.high, **names)
        tests = self.tests or getattr(estimate, "tests", None)
        return number if tests is None else tested(number, getattr(estimate, "p_adjusted", None), tests)

    def at(
        self, value: float | None, n: int, low: float | None = None, high: float | None = None, /, **names: Any
    ) -> Number:
        """A value over `n` as evidence, with an interval where one is known."""
        return Number(
            name=voice().message(self.title).format_map(names),
            value=known(value),
            low=known(low),
            high=known(high),
            n=n,
            unit=self.unit,
            counted=self.counted,
        )


def tested(number: Number, p: float | None, tests: Family) -> Number:
    """A piece of evidence with the p-value of its test, adjusted within `tests`; as it is where nothing was tested."""
    p = known(p)
    return number if p is None else number.model_copy(update={"p": p, "test": tests.title})


def of_metric(name: str, title: str = "{metric}", tests: Family | None = None) -> Quantity:
    """The quantity of a metric card: its unit, and its title at `{metric}`; other braces stay for `Quantity.of`."""
    card = BY_NAME[name]
    return Quantity(title.replace("{metric}", card.title.lower()), card.unit, tests=tests)


RANK_CORRELATION = Quantity("{title}", "rank correlation")
