"""An entry of the review log and its chain of hashes. No torch."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BeforeValidator, Field, model_validator

from core.characters import line_of
from core.runs.parts import Part
from core.runs.plan import Digest, canonical

MOST_ENTRIES = 50_000

FindingKind = Literal["accept", "dismiss", "owner", "due", "response", "action"]
StepKind = Literal["prepared", "reviewed", "approved", "superseded"]
# Who asked for the audit, entered where identities are verified.
StartKind = Literal["started"]
DeclaredKind = Literal["addressee", "assurance", "independence", "validity", "distribution"]
Kind = Literal["comment", FindingKind, StepKind, StartKind, DeclaredKind]
FINDING_KINDS: tuple[FindingKind, ...] = get_args(FindingKind)
STEPS: tuple[StepKind, ...] = get_args(StepKind)
Action = Literal["open", "in progress", "done", "verified"]
ACTIONS: tuple[Action, ...] = get_args(Action)
Assurance = Literal["none", "limited", "reasonable"]
ASSURANCES: tuple[Assurance, ...] = get_args(Assurance)
_CHOICES: Mapping[str, tuple[str, ...]] = {"action": ACTIONS, "assurance": ASSURANCES}
_DATES = ("due", "validity")
_VALUES = ("owner", "addressee", "independence", "distribution", *_DATES, *_CHOICES)
REASONS = ("comment", "dismiss", "response", "superseded")
# Steps that are about the findings as they stood then.
JUDGING = ("prepared", "reviewed", "approved")

Person = Annotated[str, Field(min_length=1, max_length=100), BeforeValidator(line_of)]
Moment = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]


class Entry(Part):
    """One line of the log.

    by, verified: the name that was given, and whether anybody checked that it is theirs. finding: the id of a finding;
    empty where the entry is about the report. value: what was set, such as an owner or a date. why: reason or comment.
    findings_sha256: of the findings that a step of the report is about.
    """

    sequence: int = Field(ge=1, le=MOST_ENTRIES)
    previous: Digest
    at: Moment
    by: Person
    verified: bool = False
    kind: Kind
    finding: Annotated[str, Field(max_length=300), BeforeValidator(line_of)] = ""
    value: Annotated[str, Field(max_length=500), BeforeValidator(line_of)] = ""
    why: Annotated[str, Field(max_length=4_000), BeforeValidator(line_of)] = ""
    findings_sha256: Digest | Literal[""] = ""
    sha256: Digest

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for problem in _lacks(self):
            raise ValueError(problem)
        return self

    @property
    def content_sha256(self) -> str:
        """What `sha256` has to be."""
        return hashlib.sha256(canonical(self.model_dump(mode="json", exclude={"sha256"}))).hexdigest()

    @property
    def line(self) -> bytes:
        """The entry as it is written, with its line break."""
        return canonical(self.model_dump(mode="json")) + b"\n"


@dataclass(frozen=True)
class Review:
    """The log of a run. `plan` is the digest of its plan, `preparer` who is declared there as preparing the report."""

    plan: str
    preparer: str = ""
    entries: tuple[Entry, ...] = ()

    @property
    def head(self) -> str:
        """The SHA-256 that the next entry has to name."""
        return self.entries[-1].sha256 if self.entries else self.plan

    def mark(self) -> dict[str, Any]:
        """Where the log ends, for the manifest."""
        return {"entries": len(self.entries), "head": self.head}

    def latest(self, kind: Kind, finding: str = "") -> Entry | None:
        """The last entry of a kind about a finding, or about the report."""
        found = (one for one in reversed(self.entries) if one.kind == kind and one.finding == finding)
        return next(found, None)


def _lacks(entry: Entry) -> list[str]:
    """What an entry of its kind must have, or must not have."""
    kind = entry.kind
    problems = []
    if kind in FINDING_KINDS and not entry.finding:
        problems.append("the id of a finding is needed")
    if kind not in FINDING_KINDS and kind != "comment" and entry.finding:
        problems.append("this is about the report, not about a finding")
    if kind in REASONS and not entry.why:
        problems.append("a reason is needed")
    if kind in _VALUES and not entry.value:
        problems.append("a value is needed")
    if kind not in _VALUES and entry.value:
        problems.append("this takes no value")
    if kind in _CHOICES and entry.value not in _CHOICES[kind]:
        problems.append(f"{entry.value!r} is not one of {', '.join(_CHOICES[kind])}")
    if kind in _DATES and not _is_date(entry.value):
        problems.append(f"{entry.value!r} is not a date such as 2027-03-31")
    if (kind in JUDGING) != bool(entry.findings_sha256):
        problems.append("the run has no findings yet; finish it, or run `python -m core report` on it")
    return problems


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
