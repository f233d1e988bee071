"""What a flaw and a family of flaws are: the contract that the runner and the scoring work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from benchmarks.planting.audit import Desk

# The strength of a clean twin.
CLEAN = 0.0
Record = dict[str, Any]
Told = dict[str, Any]


def anything(record: Record, finding: Told) -> bool:
    """Any finding of the right id counts."""
    return True


def names_subject(record: Record, finding: Told) -> bool:
    """Only a finding that names the class or word in which the flaw was planted; in a clean twin any finding counts."""
    subject = record.get("subject")
    if record["strength"] == CLEAN or not subject:
        return True
    # Findings quote what they speak of; without the marks "ring" would be found in "outer ring".
    quoted = f"\u201c{subject}\u201d"
    parts = [finding["title"], finding["condition"], *(number["name"] for number in finding["evidence"])]
    return any(quoted in part for part in parts)


@dataclass(frozen=True)
class Flaw:
    """One type of planted flaw.

    `rules` are the ids of findings (or how they begin) that may tell it. `counts` says whether a finding of such an id
    is about this flaw. `present` reads from a record how far the flaw is really in the model or the set, from 0 to 1,
    and `floor` is the least of it for which missing it is a miss.
    """

    name: str
    title: str
    rules: tuple[str, ...]
    floor: float = 0.0
    counts: Callable[[Record, Told], bool] = anything


class Family(Protocol):
    """A family of flaws: it plants one at a strength for a seed and audits it."""

    name: str
    flaws: tuple[Flaw, ...]
    strengths: tuple[float, ...]

    def run(self, desk: Desk, seed: int, strength: float) -> list[Record]:
        """The records of one seed and strength (`CLEAN`: the twin), one a flaw.

        Each holds `flaw`, `subject`, `present` (how far the flaw really is in the model or set, 0 to 1), `check` (the
        numbers behind that) and the `findings` of the audit.
        """


@dataclass(frozen=True)
class Verdict:
    """What became of one trial: found or not; `unsure`: the rule couldn't conclude; `silent`: no rule said anything."""

    flaw: str
    seed: int
    strength: float
    found: bool
    unsure: bool
    silent: bool
    present: float
    severity: str = ""
    grade: float | None = None
    by: tuple[str, ...] = field(default=())


def verdict(flaw: Flaw, record: Record) -> Verdict:
    """Read one record by the rules of its flaw."""
    mine = [f for f in record["findings"] if any(matches(rule, f["id"]) for rule in flaw.rules)]
    hits = [f for f in mine if f["status"] == "finding" and flaw.counts(record, f)]
    worst = max(hits, key=lambda f: f["grade"] or 0.0, default=None)
    return Verdict(
        flaw=flaw.name,
        seed=record["seed"],
        strength=record["strength"],
        found=bool(hits),
        unsure=not hits and bool(mine) and all(f["status"] == "cannot_conclude" for f in mine),
        silent=not mine,
        present=float(record["present"]),
        severity=worst["severity"] if worst else "",
        grade=worst["grade"] if worst else None,
        by=tuple(sorted({f["id"] for f in hits})),
    )


def matches(rule: str, name: str) -> bool:
    """Whether a finding's id is the rule's or one of those below it (`sums.rest` has `sums.rest.m2ib`)."""
    return name == rule or name.startswith(f"{rule}.")
