"""The findings as printed: the register, one block each, and what passed or could not be decided."""

from __future__ import annotations

from collections.abc import Sequence

from core.findings import Finding
from core.reporting.content import Block, Column, Fact, Table
from core.reporting.front import anchor
from core.reporting.gallery import Plates
from core.reporting.words import SEVERITY_TITLES, measured

MOST_BLOCKS = 60


def register(findings: Sequence[Finding]) -> Table | None:
    """The ranked register; None without findings."""
    found = [finding for finding in findings if finding.status == "finding"]
    if not found:
        return None
    rows = tuple((f.id, SEVERITY_TITLES[f.severity], f.title, _grade(f)) for f in found)
    columns = (
        Column("Id", "code", 24),
        Column("Severity", share=11),
        Column("Finding", share=37),
        Column("Grade", "number", 28),
    )
    return Table("Findings, most severe first", columns, rows)


def blocks(findings: Sequence[Finding], plates: Plates) -> tuple[Block, ...]:
    """Every finding in full."""
    return tuple(_block(finding, plates) for finding in [f for f in findings if f.status == "finding"][:MOST_BLOCKS])


def passed(findings: Sequence[Finding]) -> Table | None:
    """The checks without a finding; None if there are none."""
    return _table(findings, "passed", "Checks that passed")


def undecided(findings: Sequence[Finding]) -> Table | None:
    """The checks that could not be decided; None if there are none."""
    return _table(findings, "cannot_conclude", "Checks that could not be decided")


def _table(findings: Sequence[Finding], status: str, caption: str) -> Table | None:
    rows = tuple((f.title, f.condition, _said(f)) for f in findings if f.status == status)
    columns = (Column("Check", share=29), Column("What was seen", share=36), Column("Criterion", share=35))
    return Table(caption, columns, rows) if rows else None


def _block(finding: Finding, plates: Plates) -> Block:
    parts = (
        ("Condition", finding.condition),
        ("Criterion", _said(finding)),
        ("Likely cause", finding.cause),
        ("Effect", finding.effect),
        ("Recommendation", finding.recommendation),
    )
    facts = tuple(Fact(name, text) for name, text in parts if text)
    if finding.reproduce:
        facts += (Fact("How to reproduce", finding.reproduce, code=True),)
    evidence = None
    if finding.evidence:
        rows = tuple((n.name, measured(n.value, n.low, n.high, n.n, n.unit)) for n in finding.evidence)
        evidence = Table(
            "Evidence", (Column("Measure", share=48), Column("Value, 95 % interval, pictures", "number")), rows
        )
    return Block(
        anchor=anchor(finding),
        id=finding.id,
        title=finding.title,
        severity=SEVERITY_TITLES[finding.severity],
        status="open",
        grade=_grade(finding),
        facts=facts,
        evidence=evidence,
        samples=plates.finding_samples(finding.samples),
        samples_rule=finding.rule_of_samples,
        counter=plates.finding_samples(finding.counter),
        counter_rule=finding.counter_note,
    )


def _said(finding: Finding) -> str:
    return f"{finding.criterion} [{finding.threshold}]" if finding.threshold else finding.criterion


def _grade(finding: Finding) -> str:
    grade = finding.grade
    if grade is None:
        return "not graded"
    parts = (
        f"{grade.impact:.2f} impact \u00d7 {grade.likelihood:.2f} likelihood \u00d7 {grade.confidence:.2f} confidence"
    )
    return f"{parts} = {grade.value:.2f}"
