"""A finding: what was seen, against which criterion, on which evidence, and what to do."""

from __future__ import annotations

import hashlib
from typing import Literal

from pydantic import BaseModel, ConfigDict

Severity = Literal["high", "medium", "low", "note"]
Status = Literal["finding", "passed", "cannot_conclude"]
# What a finding is about. The opinion rests on all but explanations: those show how far measurements can be trusted.
Subject = Literal["model", "data", "texts", "explanations", "run"]
SUBJECTS: dict[Subject, str] = {
    "model": "the model",
    "data": "the images",
    "texts": "the texts",
    "explanations": "the explanations",
    "run": "the audit itself",
}  # messages


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Number(_Part):
    """A measured value with its interval, and the number of what `counted` names behind it.

    `p` is that of `test`, after the adjustment that `test` names; None where nothing was tested.
    """

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    n: int
    unit: str = ""
    counted: str = ""
    p: float | None = None
    test: str = ""


class Sample(_Part):
    """One image (with a text and the methods to show) that supports or contradicts a finding.

    `text` is the text that the finding is about on this image, whose maps are shown; None for the image alone.
    """

    image: str
    image_name: str
    text: str | None = None
    methods: tuple[str, ...] = ()
    note: str = ""


class Grade(_Part):
    """Severity, shown as the product of its parts, each from 0 to 1."""

    impact: float
    likelihood: float

    @property
    def value(self) -> float:
        """Impact x likelihood. Both have two decimals, so that four are exact: a limit is met by what is printed."""
        return round(self.impact * self.likelihood, 4)


class Finding(_Part):
    """One line of the register. `status` is passed or cannot_conclude for checks that found nothing to report.

    `id` is that of the rule, and of what the outcome is about where a rule has several outcomes: the same in every
    audit. `needed` is the part of the condition that states what would decide a check without a conclusion.
    """

    id: str
    rule: str
    subject: Subject
    title: str
    status: Status
    severity: Severity
    grade: Grade | None = None
    condition: str
    criterion: str
    threshold: str
    n: int = 0
    unit: str = "images"
    evidence: tuple[Number, ...] = ()
    samples: tuple[Sample, ...] = ()
    rule_of_samples: str = ""
    counter: tuple[Sample, ...] = ()
    counter_note: str = ""
    cause: str = ""
    effect: str = ""
    recommendation: str = ""
    reproduce: str = ""
    needed: str = ""


def fingerprint(finding: Finding) -> str:
    """What tells a finding apart in every audit, 32 hex digits: a hash of its rule and of what it is about."""
    return hashlib.sha256(f"loupe finding 1\n{finding.id}".encode()).hexdigest()[:32]
