"""What findings are made of: rule cards, outcomes, thresholds. The rules themselves are above. No torch."""

from __future__ import annotations

from core.rules.card import Measure, Outcome, Rule, Wording
from core.rules.context import Context
from core.rules.finding import Finding, Grade, Number, Sample, Severity, Status, Subject
from core.rules.thresholds import Thresholds, load_thresholds, run_thresholds, thresholds_of

__all__ = [
    "Context", "Finding", "Grade", "Measure", "Number", "Outcome", "Rule", "Sample", "Severity", "Status",
    "Subject", "Thresholds", "Wording", "load_thresholds", "run_thresholds", "thresholds_of",
]  # fmt: skip
