"""A finding: what was seen, against which criterion, on which evidence, and what to do."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Severity = Literal["high", "medium", "low", "note"]
Status = Literal["finding", "passed", "cannot_conclude"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Number(_Part):
    """A measured value with its interval and the number of images behind it, or of what `counted` names."""

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    n: int
    unit: str = ""
    counted: str = "images"


class Sample(_Part):
    """One picture (with a text and the methods to show) that supports or contradicts a finding."""

    image: str
    image_name: str
    text: str | None = None
    methods: tuple[str, ...] = ()
    note: str = ""


class Grade(_Part):
    """Severity, shown as the product of its parts, each from 0 to 1."""

    impact: float
    likelihood: float
    confidence: float

    @property
    def value(self) -> float:
        """Impact x likelihood x confidence."""
        return self.impact * self.likelihood * self.confidence


class Finding(_Part):
    """One line of the register. `status` is passed or cannot_conclude for checks that found nothing to report."""

    id: str
    rule: str
    title: str
    status: Status
    severity: Severity
    grade: Grade | None = None
    condition: str
    criterion: str
    threshold: str
    evidence: tuple[Number, ...] = ()
    samples: tuple[Sample, ...] = ()
    rule_of_samples: str = ""
    counter: tuple[Sample, ...] = ()
    counter_note: str = ""
    cause: str = ""
    effect: str = ""
    recommendation: str = ""
    reproduce: str = ""
