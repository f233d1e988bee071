"""The findings as printed: the register, one block each, and the passed and inconclusive checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.applications.registry import APPLICATIONS, application_info
from core.content.context import ReportContext
from core.content.parts import Block, Fact, Section, Table
from core.content.words import SEVERITY_TITLES, plural
from core.findings import Finding
from core.findings.opinion import TRUST, by_concern
from core.languages import say
from core.reporting.assurance import action_text, comments_text, decision_text, dismissed_note, response_text, said
from core.reporting.detection import detection_rate
from core.reporting.front import anchor
from core.reporting.gallery import Plates
from core.reporting.tables import BRIEF, EVIDENCE, RANKED, basis, criterion_text, grade_text, result_text
from core.rules import Thresholds
from core.rules.finding import SUBJECTS
from core.rules.grading import scale_text
from core.runs.review import FindingReview, Review, finding_review

MOST_BLOCKS = 60
# Options of applications that bound how many images they measure; 0 is no bound.
BUDGETS = {"forwards", "images", "mosaics"}


def register(findings: Sequence[Finding], review: Review, thresholds: Thresholds) -> Table | None:
    """The findings that the opinion rests on; None if there are none."""
    about = [f for f in findings if f.subject != TRUST]
    return _ranked(about, say("Findings, most severe first"), review, thresholds)


def reliability(findings: Sequence[Finding], review: Review, thresholds: Thresholds) -> Table | None:
    """The findings about the explanations; None if there are none."""
    about = [f for f in findings if f.subject == TRUST]
    return _ranked(about, say("Findings about the explanations, most severe first"), review, thresholds)


def _ranked(findings: Sequence[Finding], caption: str, review: Review, thresholds: Thresholds) -> Table | None:
    rows = [finding for finding in findings if finding.status == "finding"]
    notes = (scale_text(thresholds), dismissed_note(review, rows))
    return RANKED.table(caption, rows, " ".join(note for note in notes if note)) if rows else None


def blocks(findings: Sequence[Finding], plates: Plates, review: Review) -> tuple[Block, ...]:
    """Every finding in full."""
    ranked = by_concern([finding for finding in findings if finding.status == "finding"])
    rules = _rules(findings)
    return tuple(_block(one, plates, finding_review(review, one.id), rules) for one in ranked[:MOST_BLOCKS])


def _rules(findings: Sequence[Finding]) -> frozenset[str]:
    """The rules that the audit carried out."""
    return frozenset(finding.rule for finding in findings)


def passed(findings: Sequence[Finding]) -> Table | None:
    """The checks that passed; None if there are none."""
    return _table(findings, "passed", say("Passed checks and what each rests on"))


def undecided(findings: Sequence[Finding], note: str = "") -> Table | None:
    """The checks without a conclusion, with a note below them; None if there are none."""
    return _table(findings, "cannot_conclude", say("Checks without a conclusion, and what each rests on"), note)


def short_by_plan(context: ReportContext) -> str:
    """Which inconclusive checks the plan gave too few images to be decided, and the options that give them more."""
    options = {one.name: one.options for one in context.run.plan.applications}
    rules = {rule.id: (name, rule) for name in options for rule in APPLICATIONS[name].rules()}
    short: dict[str, list[int]] = {}
    for finding in context.findings:
        name, rule = rules.get(finding.rule, ("", None))
        if rule is None or finding.status != "cannot_conclude" or finding.unit != "images" or not finding.n:
            continue
        least = [int(context.thresholds[each]) for each in rule.thresholds if each.endswith("least_images")]
        if least and finding.n < min(least) <= len(context.run.plan.images) and bounds(options[name]):
            short.setdefault(name, []).append(finding.n)
    if not short:
        return ""
    total = sum(one.status == "cannot_conclude" for one in context.findings)
    each = []
    for name, counts in short.items():
        named = [
            say("--option {name}=N, here {value}", name=f"{name}.{key}", value=options[name][key])
            for key in bounds(options[name])
        ]
        each.append(
            say(
                "{analysis}: {checks} on {count} images ({options})",
                analysis=say(application_info(name).title),
                checks=plural(len(counts), "check"),
                count=_range(counts),
                options=", ".join(named),
            )
        )
    return say(
        "{short} of these {total} checks could not have been decided, whatever was measured: the plan gave them fewer "
        "images than a conclusion needs. Options that give them more: {options}.",
        short=sum(map(len, short.values())),
        total=total,
        options="; ".join(each),
    )


def bounds(options: Mapping[str, Any]) -> list[str]:
    """The options, by name, that bound how many images an analysis measures."""
    return sorted(key for key in BUDGETS & set(options) if options[key])


def _range(counts: Sequence[int]) -> str:
    low, high = min(counts), max(counts)
    return str(low) if low == high else say("{low} to {high}", low=low, high=high)


def in_full(findings: Sequence[Finding], found: Sequence[Block], detection: Table | None = None) -> tuple[Section, ...]:
    """What the annex has of the findings and checks: the details of each, its result and its criterion."""
    return (
        Section("Details of the findings", blocks=tuple(found)),
        *_results(findings, "cannot_conclude", say("Inconclusive checks: results and criteria")),
        *_results(findings, "passed", say("Passed checks: results and criteria")),
        Section("Detection limits", tables=(detection,) if detection else ()),
    )


def _results(findings: Sequence[Finding], status: str, title: str) -> tuple[Section, ...]:
    """The results of the checks with one status, a section for those of one criterion, which is printed once."""
    alike: dict[str, list[Finding]] = {}
    for finding in by_concern([finding for finding in findings if finding.status == status]):
        alike.setdefault(criterion_text(finding), []).append(finding)
    sections: list[Section] = []
    rules = _rules(findings)
    for criterion, checks in alike.items():
        facts = tuple(Fact(check.title, result_text(check, rules)) for check in checks)
        sections.append(Section("" if sections else title, (*facts, Fact("Criterion", criterion))))
    return tuple(sections)


def _table(findings: Sequence[Finding], status: str, caption: str, note: str = "") -> Table | None:
    rows = by_concern([finding for finding in findings if finding.status == status])
    return BRIEF.table(caption, rows, note) if rows else None


def _block(finding: Finding, plates: Plates, review: FindingReview, rules: frozenset[str]) -> Block:
    facts = (
        Fact("Condition", finding.condition),
        Fact("Based on", f"n = {basis(finding)}" if finding.n else ""),
        Fact("Effect", finding.effect),
        Fact("Recommendation", finding.recommendation),
        Fact("Detection rate", detection_rate(finding.rule, rules)),
        Fact("Decision", decision_text(review) if review.decided else ""),
        Fact("Comments", comments_text(review)),
    )
    parts = (
        Fact("About", say(SUBJECTS[finding.subject])),
        Fact("Criterion", criterion_text(finding)),
        Fact("Likely cause", finding.cause),
    )
    details = tuple(fact for fact in parts if fact.value)
    if not finding.counter:
        rule = f" ({finding.counter_note})" if finding.counter_note else ""
        none = say("No image was found that speaks against this finding{rule}.", rule=rule)
        details += (Fact("Counter-evidence", none),)
    if finding.reproduce:
        details += (Fact("How to reproduce", say(finding.reproduce), code=True),)
    return Block(
        anchor=anchor(finding),
        id=finding.id,
        title=finding.title,
        severity=SEVERITY_TITLES[finding.severity],
        status=review.decision,
        grade=grade_text(finding),
        follow=(said(review.owner), said(review.due), response_text(review), action_text(review)),
        facts=tuple(fact for fact in facts if fact.value),
        details=details,
        evidence=EVIDENCE.table(say("Evidence"), finding.evidence) if finding.evidence else None,
        samples=plates.finding_samples(finding.samples),
        samples_rule=finding.rule_of_samples,
        counter=plates.finding_samples(finding.counter),
        counter_rule=finding.counter_note,
    )
