"""From rule cards to findings: every rule is measured once, and what it says is filled with what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from typing import Any

from core import plugins
from core.applications.registry import APPLICATIONS
from core.characters import brief
from core.errors import first_line
from core.evaluation.summary import Summary
from core.findings import (
    comparison_rules,
    control_rules,
    data_rules,
    map_rules,
    score_rules,
    sum_rules,
    trust_rules,
    work_rules,
)
from core.findings.language_guard import guarded
from core.findings.work_rules import NOTHING
from core.languages import say
from core.plugins import Entry, provider
from core.rules import Context, Finding, Number, Outcome, Rule, Thresholds
from core.rules.grading import graded
from core.rules.plugged import plugged_rules
from core.rules.power import power_sentence
from core.rules.writing import filled, without_empty
from core.runs import Run

_ORDER = {"high": 0, "medium": 1, "low": 2, "note": 3}
_STATUS = {"finding": 0, "cannot_conclude": 1, "passed": 2}
OWN: tuple[Rule, ...] = (
    control_rules.CONTROLS_BEATEN,
    trust_rules.PAIRS_AGREE,
    trust_rules.IMAGES_AGREE,
    score_rules.SCORES_RISE,
    map_rules.CONSTANT,
    map_rules.ORDER,
    sum_rules.ADDITIVE,
    sum_rules.COMPLETE,
    data_rules.REFUSED,
    comparison_rules.FAITHFULNESS,
    work_rules.FAILURES,
    work_rules.EMPTY,
    work_rules.METHODS,
    work_rules.APPLICATIONS,
)


def every_rule() -> tuple[Rule, ...]:
    """The rules on any run, then those of each application, then those of plug-ins."""
    known = (*OWN, *(rule for application in APPLICATIONS.values() for rule in application.rules()))
    return (*known, *(rule for _, rule in plugged_rules({rule.id for rule in known}).values()))


def origin(rule: Rule) -> Entry | None:
    """The plug-in that brings a rule, by itself or with an application; None for Loupe's own."""
    for name, application in APPLICATIONS.plugged().items():
        if any(one is rule for one in application.rules()):
            return provider(plugins.APPLICATIONS, name)
    return next((entry for entry, one in plugged_rules(set()).values() if one is rule), None)


def judge(run: Run, summary: Summary, thresholds: Thresholds | None = None) -> tuple[Finding, ...]:
    """Every rule's outcome: findings first (most severe first), then what cannot be concluded, then what passed."""
    return apply_rules(Context.of(run, summary, thresholds))


def apply_rules(context: Context) -> tuple[Finding, ...]:
    """As `judge`, on a context that the report goes on with."""
    findings = [_with_values(finding) for rule in every_rule() for finding in apply(rule, context)]
    if any(finding.id == NOTHING for finding in findings):
        findings = [_void(finding) for finding in findings]
    return tuple(
        sorted(
            findings, key=lambda f: (_STATUS[f.status], _ORDER[f.severity], -(f.grade.value if f.grade else 0), f.id)
        )
    )


def apply(rule: Rule, context: Context) -> Iterator[Finding]:
    """The findings of one rule. One of a plug-in that ends with an error cannot conclude, and says so."""
    entry = origin(rule)
    if entry is None:
        yield from _applied(rule, context)
        return
    try:
        found = tuple(_applied(rule, context))
    except Exception as error:  # noqa: BLE001
        found = (_broken(rule, entry, error),)
    yield from found


def _applied(rule: Rule, context: Context) -> Iterator[Finding]:
    thresholds = context.thresholds
    limits = limits_of(rule, thresholds)
    found = (_finding(rule, outcome, limits, thresholds) for outcome in rule.measure(context))
    yield from guarded(found, context) if rule.english else found


def _broken(rule: Rule, entry: Entry, error: Exception) -> Finding:
    told = brief(f"{type(error).__name__}: {first_line(error)}", 200)
    return Finding(
        id=rule.id,
        rule=rule.id,
        subject=rule.subject,
        status="cannot_conclude",
        severity="note",
        title=say("The check {rule} of a plug-in failed", rule=rule.id),
        condition=say("The {part} ended with an error: {error}.", part=entry.title, error=told),
        criterion=say("The rule of the plug-in could not be evaluated."),
        threshold="",
        unit=rule.unit,
    )


def limits_of(rule: Rule, thresholds: Thresholds) -> dict[str, Any]:
    """What fills the names of thresholds in a card's texts: by whole name with underscores, and by its last part."""
    limits = {name.replace(".", "_"): thresholds[name] for name in rule.thresholds}
    return limits | {name.rpartition(".")[2]: thresholds[name] for name in rule.thresholds}


def _finding(rule: Rule, outcome: Outcome, limits: dict[str, Any], thresholds: Thresholds) -> Finding:
    values = limits | dict(outcome.values)
    wording = rule.wordings[outcome.wording or outcome.verdict]
    found = outcome.verdict == "finding"
    grade, severity = (
        graded(float(thresholds[f"impact.{rule.id}"]), outcome.likelihood, thresholds) if found else (None, "note")
    )

    def text(template: str, wanted: bool = found) -> str:
        return without_empty(filled(template, values)) if wanted else ""

    return Finding(
        id=f"{rule.id}.{outcome.part}" if outcome.part else rule.id,
        rule=rule.id,
        subject=rule.subject,
        status=outcome.verdict,
        severity=severity,
        grade=grade,
        title=text(wording.title, True),
        condition=" ".join(part for part in (text(wording.condition, True), _power(rule, outcome, thresholds)) if part),
        criterion=text(rule.criterion, True),
        threshold=thresholds.label(*rule.thresholds),
        n=outcome.n,
        unit=outcome.unit or rule.unit,
        evidence=_counted(outcome, rule),
        samples=outcome.samples,
        rule_of_samples=text(rule.samples, bool(outcome.samples)),
        counter=outcome.counter,
        counter_note=text(rule.counter, bool(outcome.counter)),
        cause=text(rule.cause),
        effect=text(rule.effect),
        recommendation=text(rule.recommendation),
        reproduce=rule.reproduce,
        needed=_power(rule, outcome, thresholds),
    )


def _counted(outcome: Outcome, rule: Rule) -> tuple[Number, ...]:
    """The evidence, whose n counts what the finding's does unless a quantity says otherwise."""
    unit = outcome.unit or rule.unit
    return tuple(number.model_copy(update={"counted": number.counted or unit}) for number in outcome.evidence)


def _power(rule: Rule, outcome: Outcome, thresholds: Thresholds) -> str:
    """What an outcome without a conclusion would have shown, and what would decide; empty for any other."""
    if outcome.verdict != "cannot_conclude" or outcome.against is None or not outcome.evidence:
        return ""
    first = _counted(outcome, rule)[0]
    if outcome.wording == "few" and first.low is None:
        # The card's own words name the number that is needed.
        return ""
    least = [int(thresholds[name]) for name in rule.thresholds if name.endswith(".least_images")]
    least_n = max(least, default=0) if outcome.wording == "few" else 0
    return power_sentence(first, outcome.against, float(thresholds["general.significance"]), first.counted, least_n)


def _with_values(finding: Finding) -> Finding:
    """A check passes only on values: without a single one it cannot conclude."""
    valued = [part for part in finding.evidence if part.value is not None and isfinite(part.value) and part.n]
    if finding.status != "passed" or not finding.evidence or valued:
        return finding
    condition = say("No value was measured. {condition}", condition=finding.condition)
    return finding.model_copy(update={"status": "cannot_conclude", "condition": condition})


def _void(finding: Finding) -> Finding:
    """Where nothing worked, no check of the model or of an explanation has passed."""
    if finding.status != "passed" or finding.subject == "data":
        return finding
    condition = say("Nothing worked in this audit, so that this is not shown. {condition}", condition=finding.condition)
    return finding.model_copy(update={"status": "cannot_conclude", "condition": condition})
