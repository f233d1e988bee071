"""The outcomes of rules that compare means over images with a limit; several comparisons are one family."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from core.languages import say, typeset
from core.rules.card import Outcome
from core.rules.decision import decision, status_of
from core.rules.finding import Sample
from core.rules.parts import SAMPLES, known
from core.rules.power import Against
from core.rules.quantity import Quantity, tested
from core.statistics import sign_flip_p
from core.statistics.families import Family, adjusted

COMPARED = Family("estimates", "sign-flip test", "the comparisons of the rule")


@dataclass(frozen=True)
class Comparison:
    """One mean of a family: its row, the `images` behind it as `outcome_of` takes them, and what tells it apart."""

    name: str
    row: Any
    images: pd.DataFrame
    part: str
    unit: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)


def outcomes_of(
    family: Sequence[Comparison], limit: float, *, at_most: bool, least_n: int, significance: float
) -> Iterator[Outcome]:
    """The outcome of each comparison. None is decided unless the sign-flip test that its mean differs from `limit`,
    adjusted over the family by Holm's method, is significant as well; `p` fills the brace of that name, and what it is
    adjusted for, which the interval is not, that of `adjustment`.
    """
    each = [sign_flip_p(one.images.groupby("image")["value"].mean().to_numpy(float) - limit) for one in family]
    for one, p in zip(family, adjusted(pd.Series([math.nan if p is None else p for p in each])), strict=True):
        yield outcome_of(
            one.name,
            one.row,
            limit,
            one.images,
            at_most=at_most,
            least_n=least_n,
            part=one.part,
            unit=one.unit,
            values={"p": float(p), "adjustment": adjustment(len(family)), **one.values},
            significant=bool(p < significance),
            p=float(p),
            tests=len(family),
        )


def adjustment(family: int) -> str:
    """What goes on after the p of a comparison with its interval, where it is one of several."""
    if family == 1:
        return ""
    return say(", adjusted for {family} comparisons, whereas the interval is that of this one alone", family=family)


def outcome_of(
    name: str,
    row: Any,
    limit: float,
    images: pd.DataFrame,
    *,
    at_most: bool,
    least_n: int,
    part: str = "",
    unit: str = "",
    percent: bool = False,
    values: Mapping[str, Any] | None = None,
    significant: bool = True,
    p: float | None = None,
    tests: int = 1,
) -> Outcome:
    """The outcome for `row` with `value`, `low`, `high` and `n`, a mean of the `value` of `images`, one row per image.

    The criterion is that the mean is at most `limit`, or at least. `images` has the columns image, image_name, text
    and value; those beyond the limit are the samples, the others the counter-samples. What is not `significant` by the
    adjusted test of its family, whose p-value is `p`, is not decided.
    """
    decided = decision(row, limit, at_most=at_most, least_n=least_n)
    if not significant and decided != "too few":
        decided = "undecided"
    verdict = status_of([decided])
    images = images.dropna(subset=["value"]).sort_values("value", ascending=not at_most, kind="stable")
    beyond = images["value"] > limit if at_most else images["value"] < limit
    finding = verdict == "finding"
    numbers = {end: known(getattr(row, end)) for end in ("value", "low", "high")}
    printed = {end: float("nan") if value is None else value for end, value in numbers.items()}
    return Outcome(
        verdict,
        wording="few" if decided == "too few" else "",
        n=int(row.n),
        likelihood=float(beyond.mean()) if len(images) else 0.0,
        values={**printed, "n": int(row.n), **(values or {})},
        evidence=(tested(Quantity(name, unit).of(row), p, COMPARED),),
        samples=_samples(images[beyond]) if finding else (),
        counter=_samples(images[~beyond].iloc[::-1]) if finding else (),
        against=Against(limit, at_most, tests, percent, both=p is not None),
        part=part,
    )


def _samples(rows: pd.DataFrame) -> tuple[Sample, ...]:
    return tuple(
        Sample(image=row.image, image_name=row.image_name, text=row.text, note=typeset(f"{row.value:+.3f}"))
        for row in rows.head(SAMPLES).itertuples()
    )
