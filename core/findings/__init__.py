"""Rules over a run that give findings, passed checks and what cannot be concluded. No torch."""

from __future__ import annotations

from core.findings.control_rules import above_by_kind, beats, methods_above_controls, standings
from core.findings.judgement import apply, apply_rules, every_rule, judge
from core.findings.method_checks import failed_methods, failing_methods, limits_of_checks, reliability_of
from core.findings.stored import load_findings, save_findings
from core.findings.trusted import consensus_methods, not_drawn, trusted_methods, trusted_summary
from core.findings.work_rules import NOTHING, failed_applications
from core.rules import (
    Finding,
    Grade,
    Number,
    Sample,
    Thresholds,
    load_thresholds,
    run_thresholds,
    thresholds_of,
)

__all__ = [
    "NOTHING",
    "Finding",
    "Grade",
    "Number",
    "Sample",
    "Thresholds",
    "above_by_kind",
    "apply",
    "apply_rules",
    "beats",
    "consensus_methods",
    "every_rule",
    "failed_applications",
    "failed_methods",
    "failing_methods",
    "judge",
    "limits_of_checks",
    "load_findings",
    "load_thresholds",
    "methods_above_controls",
    "not_drawn",
    "reliability_of",
    "run_thresholds",
    "save_findings",
    "standings",
    "trusted_methods",
    "trusted_summary",
    "thresholds_of",
]
