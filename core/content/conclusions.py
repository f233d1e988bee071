"""What the rules concluded, as sentences of a page. The report has them once, in its register and its annex."""

from __future__ import annotations

from collections.abc import Iterable

from core.rules.finding import Finding


def conclusions(findings: Iterable[Finding], application: str) -> tuple[str, ...]:
    """The outcome of every rule of an application, by the id that its rules begin with: title and condition."""
    return tuple(
        f"{finding.title}. {finding.condition}"
        for finding in sorted(findings, key=lambda finding: finding.id)
        if finding.rule.startswith(f"{application}.")
    )
