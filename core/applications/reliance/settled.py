"""Which rules on measured images are still open, seen from the images measured so far. No torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar, cast

from core.applications.reliance import concept_rules, prompt_rules, region_rules, surroundings_rules
from core.applications.reliance.measures import EVERY, topics_of
from core.applications.reliance.record import PLACES_PART, STICKERS_PART, RelianceRecord
from core.applications.reliance.verdicts import UNDECIDED
from core.deferred import Deferred
from core.rules import Context, Outcome, Rule
from core.runs import Run
from core.statistics.intervals import reach_of
from core.statistics.looks import SPENT, Look

student = Deferred("scipy.stats", "t")

Stored = TypeVar("Stored")
Texts = Sequence[tuple[str, str]]

# The rules whose measures cost forward passes of images.
RULES: tuple[Rule, ...] = (
    region_rules.BORDER,
    region_rules.BACKGROUND,
    concept_rules.CONCEPT,
    concept_rules.DOMINANT,
    surroundings_rules.ALONE,
    surroundings_rules.SURROUNDINGS,
    prompt_rules.TYPOGRAPHIC,
)
# Measures that are taken no more once every rule on them is settled; regions stay, for the profiles.
PARTS: dict[str, frozenset[str]] = {
    PLACES_PART: frozenset({region_rules.BORDER.id, region_rules.BACKGROUND.id})
    | {surroundings_rules.ALONE.id, surroundings_rules.SURROUNDINGS.id},
    STICKERS_PART: frozenset({prompt_rules.TYPOGRAPHIC.id}),
}
# From so many images on it is looked at whether the verdicts are settled, then after half as many more each time.
FIRST_LOOK, GROWTH = 24, 1.5
# So many times the images that a topic needs are measured before it counts as tested, where there are as many.
MARGIN = 1.5
# Outcomes that more images of the tested topics would not change.
CLOSED = frozenset({"few", "few_names", "unnamed", "unknown", "one_class", "no_class"})
# No more images are measured for a rule that they would give a verdict with a smaller chance.
HARDLY = 0.05
# A last batch smaller than this joins the one before it.
LEAST_BATCH = 8


@dataclass(frozen=True)
class Glance(Context):
    """A context whose record holds the images measured so far."""

    seen: RelianceRecord | None = None

    def record(self, of_run: Callable[[Run], Stored]) -> Stored:
        """The record so far, whichever is asked for."""
        return cast(Stored, self.seen)


def batches(count: int) -> list[int]:
    """The numbers of images at which the verdicts are looked at, the last of them `count`."""
    ends, end = [], float(FIRST_LOOK)
    while round(end) + LEAST_BATCH <= count:
        ends.append(round(end))
        end *= GROWTH
    return [*ends, count]


def looks(ends: Sequence[int], count: int) -> dict[str, Any]:
    """What the record stores of the batches: how many images there were at each look, and which look ended it."""
    look: Look = "only" if len(ends) == 1 else "last" if count == ends[-1] else "interim"
    return {"look": look, "looks": [end for end in ends if end <= count]}


def open_rules(record: RelianceRecord, run: Run, growth: Mapping[str, float]) -> list[str]:
    """The ids of the rules that cannot conclude from the images measured so far, but might from more.

    `growth`: how many times as many images of each topic there are in all.
    """
    return undecided(Glance(run, seen=record), growth)


def undecided(context: Glance, growth: Mapping[str, float]) -> list[str]:
    """The rules of `open_rules`, from the context that holds the images measured so far."""
    record = cast(RelianceRecord, context.seen)
    left = [name for name, rows in outcomes(context).items() if any(map(_is_open, rows))]
    if not left:
        return []
    # What the last look would say is told by the usual intervals, not by the wider ones of this look.
    usual = Glance(context.run, seen=replace(record, about={**record.about, "design": {"look": "only"}}))
    usual.__dict__["thresholds"] = context.thresholds
    likely = outcomes(usual)
    return [name for name in left if not all(map(partial(is_futile, growth=growth), likely[name]))]


def is_futile(outcome: Outcome, growth: Mapping[str, float]) -> bool:
    """Whether all images would hardly give a verdict where those measured so far give none.

    Of every undecided row the value at the end is predicted (Student's t, from its value and interval now): a finding
    is unlikely if the chances of all rows together are, and passing if that of one row is. Both are chances at most,
    because neither further conditions of a finding nor the adjustment of p lower them.
    """
    if not _is_open(outcome):
        return outcome.verdict == "cannot_conclude"
    rows = outcome.values.get(UNDECIDED)
    if not rows:
        return False
    chances = [_chances(row, growth.get(str(row.get("topic")), 1.0)) for row in rows]
    return sum(above for above, _ in chances) < HARDLY and min(within for _, within in chances) < HARDLY


def growths(measured: Iterable[Texts], every: Iterable[Texts]) -> dict[str, float]:
    """For each topic, and for every text together, its number of images in all over that of the measured ones."""
    some, all_of_them = list(measured), list(every)
    have, could = _counted(some), _counted(all_of_them)
    return {topic: could[topic] / count for topic, count in have.items()} | {EVERY: len(all_of_them) / len(some)}


def _is_open(outcome: Outcome) -> bool:
    return outcome.verdict == "cannot_conclude" and outcome.wording not in CLOSED


def _chances(row: Mapping[str, Any], growth: float) -> tuple[float, float]:
    """The chances that the whole interval at the end lies above the limit, and that it lies within."""
    value, low, high, limit = (float(row[name]) for name in ("value", "low", "high", "limit"))
    count = int(row["n"])
    freedom = max(count - 1, 1)
    error = (high - low) / 2 / float(student.ppf(0.975, freedom))
    reach = error * count**0.5 * reach_of(round(count * growth), SPENT["last"])
    drift = max(error * (1 - 1 / growth) ** 0.5, 1e-9)
    above, within = (limit + reach - value) / drift, (limit - reach - value) / drift
    return float(student.sf(above, freedom)), float(student.cdf(within, freedom))


def settled_parts(unsettled: Iterable[str]) -> list[str]:
    """The parts of the measures of which no rule is among the unsettled ones."""
    return [part for part, rules in PARTS.items() if not rules & set(unsettled)]


def outcomes(context: Glance) -> dict[str, list[Outcome]]:
    """What each of the rules gives on the images measured so far, by its id."""
    return {rule.id: list(rule.measure(context)) for rule in RULES}


def short_topics(measured: Iterable[Texts], every: Iterable[Texts], enough: int) -> list[str]:
    """The topics that enough of all images have, but not enough of the measured ones.

    Each item holds the texts, with their kinds, of one image. Without these topics a verdict would be settled before
    they were tested.
    """
    have, could = _counted(measured), _counted(every)
    return sorted(
        topic for topic, count in could.items() if count >= enough and have[topic] < min(count, MARGIN * enough)
    )


def _counted(images: Iterable[Texts]) -> Counter[str]:
    return Counter(
        topic for texts in images for topic in {topic for text, kind in texts for topic in topics_of(text, kind)}
    )
