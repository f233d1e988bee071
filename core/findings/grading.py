"""Severity: impact x likelihood x confidence, all shown."""

from __future__ import annotations

from core.findings.finding import Grade, Severity
from core.findings.thresholds import Thresholds


def grade(impact: float, likelihood: float, n: int, thresholds: Thresholds) -> tuple[Grade, Severity]:
    """The grade and its word. Confidence grows with the number of pictures: n / (n + least_images)."""
    confidence = n / max(n + float(thresholds["general.least_images"]), 1.0)
    made = Grade(
        impact=round(impact, 2), likelihood=round(min(max(likelihood, 0.0), 1.0), 2), confidence=round(confidence, 2)
    )
    return made, word_of(made, thresholds)


def word_of(made: Grade, thresholds: Thresholds) -> Severity:
    """The word for a grade."""
    if made.value >= thresholds["severity.high"]:
        return "high"
    return "medium" if made.value >= thresholds["severity.medium"] else "low"
