"""Severity: impact x likelihood, both shown.

How certain a finding is does not enter: a finding is raised only where its interval shows it, and n and interval are
printed with it. So the severity of the same flaw is the same in a small audit and in a large one.
"""

from __future__ import annotations

from core.languages import say, typeset
from core.rules.finding import Grade, Severity
from core.rules.thresholds import Thresholds


def graded(impact: float, likelihood: float, thresholds: Thresholds) -> tuple[Grade, Severity]:
    """The grade of a finding and its severity."""
    grade = Grade(impact=round(impact, 2), likelihood=round(min(max(likelihood, 0.0), 1.0), 2))
    return grade, severity_of(grade, thresholds)


def severity_of(grade: Grade, thresholds: Thresholds) -> Severity:
    """The severity that the thresholds give a grade."""
    if grade.value >= thresholds["severity.high"]:
        return "high"
    return "medium" if grade.value >= thresholds["severity.medium"] else "low"


def scale_text(thresholds: Thresholds) -> str:
    """Which products of impact and likelihood have which severity, in one sentence from the thresholds."""
    high, medium = (float(thresholds[f"severity.{name}"]) for name in ("high", "medium"))
    return typeset(
        say(
            "Severity follows from impact \u00d7 likelihood: high from {high:.2f}, medium from {medium:.2f} to below "
            "{high:.2f}, low below {medium:.2f} (severity.high and severity.medium of the thresholds, version "
            "{version}).",
            high=high,
            medium=medium,
            version=thresholds.version,
        )
    )
