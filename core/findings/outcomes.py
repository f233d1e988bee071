"""What a rule says when it has nothing to report: it passed, or there is too little to tell."""

from __future__ import annotations

from typing import Any

from core.findings.finding import Finding


def passed(**parts: Any) -> Finding:
    """A check that found nothing; `parts` are the finding's other fields."""
    return Finding(status="passed", severity="note", **parts)


def cannot_conclude(**parts: Any) -> Finding:
    """A check whose evidence isn't enough; `parts` are the finding's other fields."""
    return Finding(status="cannot_conclude", severity="note", **parts)
