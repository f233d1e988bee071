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
    columns = (Column("Id", "code", 24), Column("Severity", share=11), Column("Finding", share=37), Column("Grade", "number", 28))
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
    parts = (("Condition", finding.condition), ("Criterion", _said(finding)), ("Likely cause", finding.cause),
             ("Effect", finding.effect), ("Recommendation", finding.recommendation))
    evidence = None
    if finding.evidence:
        rows = tuple((number.name, measured(number.value, number.low, number.high, number.n), number.unit) for number in finding.evidence)
        evidence = Table("Evidence", (Column("Measure", share=46), Column("Value with 95 % interval", "number", 32), Column("Unit")), rows)
    return Block(
        anchor=anchor(finding), id=finding.id, title=finding.title, severity=SEVERITY_TITLES[finding.severity],
        status="open", grade=_grade(finding), facts=tuple(Fact(name, text) for name, text in parts if text), evidence=evidence,
        samples=plates.finding_samples(finding.samples), samples_rule=finding.rule_of_samples,
        counter=plates.finding_samples(finding.counter), counter_rule=finding.counter_note, reproduce=finding.reproduce,
    )


def _said(finding: Finding) -> str:
    return f"{finding.criterion} [{finding.threshold}]" if finding.threshold else finding.criterion


def _grade(finding: Finding) -> str:
    grade = finding.grade
    if grade is None:
        return "not graded"
    return f"{grade.impact:.2f} impact \u00d7 {grade.likelihood:.2f} likelihood \u00d7 {grade.confidence:.2f} confidence = {grade.value:.2f}"
