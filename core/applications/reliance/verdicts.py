"""From intervals to verdicts: shown to exceed a limit, shown not to, or neither. No torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from core.applications.reliance.measures import EVERY, topics_of
from core.languages import say, typeset
from core.rules import Context, Outcome, Sample, Status, Wording
from core.rules.parts import NAMED, SAMPLES
from core.rules.power import Against
from core.rules.quantity import Quantity
from core.rules.writing import in_words
from core.statistics import Family

INTERVAL = "{value:.0%} [{low:.0%}, {high:.0%}], n = {n}"
# What hiding something costs, under a name that says what was hidden.
LOSS = Quantity("{name}")
# The rows without a verdict among the values of an outcome.
UNDECIDED = "undecided"
# Of the classes that could not be tested, so many are named.
MOST_LEFT = 20
ORDER: dict[Status, int] = {"finding": 0, "cannot_conclude": 1, "passed": 2}


def verdict_of(low: float, high: float, p: float | None, limit: float, significance: float) -> Status:
    """A finding where the whole interval lies above `limit` and p is significant, passed where it lies within."""
    if high <= limit:
        return "passed"
    return "finding" if low > limit and p is not None and p < significance else "cannot_conclude"


def judged(
    table: pd.DataFrame,
    limit: float,
    family: Family,
    context: Context,
    also: pd.Series | None = None,
    natural: pd.Series | None = None,
) -> pd.DataFrame:
    """The rows with `p_adjusted`, over all of them, and `verdict`; those that decide the overall verdict come first.

    A row must have an interval. `also` is what a finding needs besides; without it a row above the limit is undecided.
    `natural` rows meet the criterion whatever their interval; column `natural` marks those whose interval lies
    above the limit, `excused` all whose interval does not lie within it.
    Findings are sorted by value, the others by the upper end of their intervals.
    """
    significance = float(context.thresholds["general.significance"])
    table = table.astype(dict.fromkeys(("value", "low", "high"), float))
    table = table.assign(p_adjusted=family.adjusted(table))
    verdicts = [
        verdict_of(row.low, row.high, row.p_adjusted, limit, significance) for row in table.itertuples(index=False)
    ]
    table["verdict"] = verdicts
    table["limit"] = limit
    table["tests"] = family
    if also is not None:
        table.loc[(table["verdict"] == "finding") & ~also, "verdict"] = "cannot_conclude"
    table["natural"] = natural & (table["low"] > limit) if natural is not None else False
    table["excused"] = natural & (table["high"] > limit) if natural is not None else False
    if natural is not None:
        table.loc[natural, "verdict"] = "passed"
    largest = table["value"].where(table["verdict"] == "finding", table["high"])
    order = np.lexsort((-largest, table["verdict"].map(ORDER)))
    return table.iloc[order].reset_index(drop=True)


@dataclass(frozen=True)
class Sides:
    """The highest share of a topic's images that a finding concerns; images that show it, and that contradict it.

    images: how many images all tested topics have together. A finding rests on those of its topic, any other verdict
    on these.
    """

    likelihood: float
    images: int
    samples: tuple[Sample, ...] = ()
    counter: tuple[Sample, ...] = ()


def outcome(
    table: pd.DataFrame,
    name: Callable[[Any], str],
    sides: Sides,
    *,
    also: bool = False,
    counts: bool = False,
    values: Mapping[str, Any] | None = None,
) -> Outcome:
    """The outcome of a table that `judged` gives: its first row decides. `name` names the evidence of a row.

    also: whether a finding needs more than a value above the limit; no value alone would then be one, so that no power
    is stated. counts: whether values are shares of images that have a property. values: what fills further braces.
    """
    first = table.iloc[0]
    same = table[table["verdict"] == first["verdict"]]
    finding = first["verdict"] == "finding"
    return Outcome(
        verdict=first["verdict"],
        n=int(first["n"]) if finding else sides.images,
        likelihood=sides.likelihood,
        values={**values_of(table), **(values or {})},
        against=None if also else Against(float(first["limit"]), tests=len(table), percent=True, counts=counts),
        evidence=tuple(LOSS.of(row, name=name(row)) for row in same.head(NAMED).itertuples()),
        samples=sides.samples if finding else (),
        counter=sides.counter if finding else (),
    )


def values_of(table: pd.DataFrame) -> dict[str, Any]:
    """What a card's wordings are filled with: the first row, how many rows were tested, and how many are like it."""
    first = table.iloc[0]
    count = int((table["verdict"] == first["verdict"]).sum())
    natural = int(table["natural"].sum()) if "natural" in table else 0
    counts = {"tested": len(table), "count": count, "natural": natural or say("none"), "excused": _excused(table)}
    undecided = table[table["verdict"] == "cannot_conclude"].to_dict("records")
    return {**first.to_dict(), "topic": quoted(first.get("topic", EVERY)), **counts, UNDECIDED: undecided}


def _excused(table: pd.DataFrame) -> str:
    """The rows that meet a criterion by a clause and not by their interval; "none" without any."""
    rows = table[table["excused"].astype(bool)] if "excused" in table else table.head(0)
    corners = say("corners")
    names = [
        in_words([row.region, quoted(row.topic)]) if getattr(row, "region", corners) != corners else quoted(row.topic)
        for row in rows.itertuples()
    ]
    more = say(" and {count} more", count=len(names) - NAMED) if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more or say("none")


def untested(classes: Iterable[str], tested: Iterable[str]) -> dict[str, Any]:
    """How many classes there are and were tested, and the names of the others, as values of an outcome."""
    every, seen = list(dict.fromkeys(classes)), set(tested)
    left = [quoted(name) for name in every if name not in seen]
    more = say(" and {count} more", count=len(left) - MOST_LEFT) if len(left) > MOST_LEFT else ""
    return {
        "every": len(every),
        "classes": len(every) - len(left),
        "untested": ", ".join(left[:MOST_LEFT]) + more or say("none"),
    }


def wordings(
    tested: str,
    of: str,
    *,
    finding: Wording,
    passed: str,
    undecided: str,
    holds: str = "",
    also: str = "",
    units: str = "",
    **others: Wording,
) -> dict[str, Wording]:
    """The wordings of a rule whose measure gives `values_of` a table.

    `tested` names what its rows are, `of` what one row is; the finding's wording goes on after how many there are.
    `holds` is what a passed check adds, where a row may meet the criterion without its interval lying within the limit.
    `also` is what an undecided one adds, where a finding needs more than a value above the limit. `units` says what n
    counts, where that is not every image.
    """
    within = f"each meets the criterion.{holds}" if holds else "in each the whole interval lies within the limit."
    top = f"The upper end of the interval is highest for {of}: {INTERVAL}.{units}"
    neither = f"Whether the limit is exceeded remains undecided in {{count}} of {{tested}} tested {tested}."
    if also:
        neither = f"Neither meeting nor missing the criterion is shown for {{count}} of {{tested}} tested {tested}."
    return {
        "finding": Wording(
            finding.title,
            f"The limit is exceeded in {{count}} of {{tested}} tested {tested}. {finding.condition}{units}",
        ),
        "passed": Wording(
            passed,
            f"{tested[:1].upper()}{tested[1:]} tested: {{tested}}; {within} {top}",
        ),
        "cannot_conclude": Wording(undecided, f"{neither} {top}{also}"),
        **others,
    }


def sides(table: pd.DataFrame, parts_of: Callable[[pd.Series], pd.DataFrame], limit: float) -> Sides:
    """The first row's images whose `part` of the score lies above the limit, and the others; most extreme first.

    `parts_of` gives the `part` of each image of a row. The likelihood is the highest of all findings of the table.
    """
    parts = [parts_of(row) for _, row in table.iterrows()]
    ordered = parts[0].sort_values("part", ascending=False, kind="stable")
    above = ordered["part"] > limit
    findings = [part for part, verdict in zip(parts, table["verdict"], strict=True) if verdict == "finding"]
    highest = max((float((part["part"] > limit).mean()) for part in findings), default=0.0)
    images = len(set().union(*(part["image"] for part in parts)))
    return Sides(highest, images, samples_of(ordered[above]), samples_of(ordered[~above].iloc[::-1]))


def samples_of(parts: pd.DataFrame) -> tuple[Sample, ...]:
    """The first rows as samples, each with its part of the score."""
    return tuple(
        Sample(
            image=row.image,
            image_name=row.image_name,
            text=row.text,
            note=typeset(say("{share:.0%} of the gain", share=row.part)),
        )
        for row in parts.head(SAMPLES).itertuples()
    )


def image_parts(rows: pd.DataFrame, amount: str) -> pd.DataFrame:
    """One row per image: `part`, its mean amount over its mean total, and its first text.

    Rows without an amount, or whose score the image does not raise, are left out.
    """
    rows = rows[(rows["total"] > 0) & rows[amount].notna()]
    means = rows.groupby(["image", "image_name"], sort=False).agg(
        amount=(amount, "mean"), total=("total", "mean"), text=("text", "first")
    )
    return means.assign(part=means["amount"] / means["total"]).reset_index()


def of_topic(rows: pd.DataFrame, topic: str) -> pd.DataFrame:
    """The rows whose text belongs to a topic."""
    if topic == EVERY:
        return rows
    return rows[[topic in topics_of(row.text, row.text_kind) for row in rows.itertuples()]]


def quoted(topic: str) -> str:
    """A topic in quotes; that of all texts without."""
    return say(topic) if topic == EVERY else say("“{text}”", text=topic)
