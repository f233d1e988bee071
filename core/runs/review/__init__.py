"""The review log of a run: who decided what, when and why. Append-only and chained by hashes. No torch.

It lies in `review.jsonl` of the run, one entry a line. Each entry names the SHA-256 of the one before it, the first one
that of the plan, and its own; so no line can be changed, removed, added or moved between others. Lines cut off the end
are missed only by whoever knows where the log ended: the manifest says so, as of the last report.
"""

from core.runs.review.entry import ACTIONS, ASSURANCES, FINDING_KINDS, REASONS, STEPS, Entry, Kind, Review, StepKind
from core.runs.review.log import (
    REVIEW,
    add_entry,
    cut_off,
    findings_sha256,
    load_review,
    note_review,
    obstacle,
    parse_review,
    problems,
    record_start,
)
from core.runs.review.steps import FindingReview, Standing, finding_review, standing

__all__ = [
    "ACTIONS",
    "ASSURANCES",
    "FINDING_KINDS",
    "REASONS",
    "REVIEW",
    "STEPS",
    "Entry",
    "FindingReview",
    "Kind",
    "Review",
    "Standing",
    "StepKind",
    "add_entry",
    "cut_off",
    "finding_review",
    "findings_sha256",
    "load_review",
    "note_review",
    "obstacle",
    "parse_review",
    "problems",
    "record_start",
    "standing",
]
