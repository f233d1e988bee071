"""The review log as a report was made with it, and whether it has gone on since."""

from __future__ import annotations

from pathlib import Path

from core.errors import LoupeError, Refused
from core.reporting.bundle import OpenBundle
from core.runs import Run
from core.runs.review import REVIEW, Review, load_review, parse_review
from core.sandbox.files import opened

BUNDLE = "evidence.zip"


def log_of(run: Run, folder: Path) -> Review | None:
    """The log in the bundle of a report folder of a run, empty if it has none; None for an unreadable bundle."""
    try:
        with opened(folder / BUNDLE) as (handle, size), open(handle, "rb", closefd=False) as stream:
            bundle = OpenBundle(stream, size)
            data = bundle.read(REVIEW) if REVIEW in bundle.names else b""
        return parse_review(data, run.plan.digest, run.plan.declared.preparer)
    except (LoupeError, Refused):
        return None


def entries_since(run: Run) -> int:
    """How many entries of the review log the report of a run lacks; 0 where it has no readable bundle."""
    told = log_of(run, run.report)
    return 0 if told is None else max(0, len(load_review(run).entries) - len(told.entries))
