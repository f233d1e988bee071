"""From a run and its findings to the record of its report. Reads what the report prints, and prints nothing anew."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

from core.applications.registry import APPLICATIONS
from core.content.context import ReportContext
from core.findings import Finding, failed_applications, failing_methods
from core.findings.judgement import every_rule
from core.findings.opinion import opinion
from core.reporting.detection import FILE
from core.reporting.exports.flaws import detection_limits
from core.reporting.exports.record import (
    ApplicationRecord,
    DataRecord,
    DecisionRecord,
    Environment,
    FrameworkRecord,
    ImageRecord,
    MethodRecord,
    ModelRecord,
    Opinion,
    Outcome,
    Package,
    ReportRecord,
    RequirementRecord,
    ReviewRecord,
    RuleRecord,
    RunRecord,
    Summary,
    ThresholdsRecord,
    Units,
)
from core.reporting.limitations import limits, warning
from core.reporting.requirements import coverage, frameworks
from core.rules.finding import fingerprint
from core.rules.parts import title_of
from core.runs import Run
from core.runs.parts import Declared
from core.runs.review import finding_review, load_review, standing

DEFAULT_LEVEL = "medium"


def record_of(context: ReportContext, dataset_sha256: str, detection: bytes | None = None) -> ReportRecord:
    """The record of a report.

    `dataset_sha256` is that of the file `dataset.json`, `detection` the content of `detection.toml` (otherwise that of
    this version). Raises `ValueError` if it is of another form.
    """
    run, findings = context.run, context.findings
    word, reason = opinion(run.progress(), findings)
    judged = {status: tuple(_outcome(f) for f in findings if f.status == status) for status in _STATUSES}
    severities = [finding.severity for finding in findings if finding.status == "finding"]
    return ReportRecord(
        run=_run(run),
        opinion=Opinion.model_validate({"opinion": word, "reason": reason}),
        summary=Summary(
            high=severities.count("high"),
            medium=severities.count("medium"),
            low=severities.count("low"),
            passed=len(judged["passed"]),
            inconclusive=len(judged["cannot_conclude"]),
            limits=limits(context),
        ),
        findings=judged["finding"],
        passed=judged["passed"],
        inconclusive=judged["cannot_conclude"],
        rules=_rules(findings),
        methods=_methods(context),
        applications=_applications(run),
        data=_data(context, dataset_sha256),
        model=_model(run),
        thresholds=ThresholdsRecord(version=context.thresholds.version, sha256=context.thresholds.sha256),
        requirements=_requirements(findings, context.run.plan.declared),
        environment=_environment(run.public_manifest),
        review=_review(run, findings),
        detection_limits=detection_limits(findings, FILE.read_bytes() if detection is None else detection),
    )


_STATUSES = ("finding", "passed", "cannot_conclude")


def _rules(findings: Sequence[Finding]) -> tuple[RuleRecord, ...]:
    """The rules of these findings; of one that this version does not know, what its first finding tells."""
    known = {rule.id: rule for rule in every_rule()}
    first = {finding.rule: finding for finding in reversed(findings)}
    records = []
    for name, finding in sorted(first.items()):
        rule = known.get(name)
        question, unit = (rule.question, rule.unit) if rule else (finding.title, finding.unit)
        records.append(RuleRecord(id=name, subject=finding.subject, question=question, unit=unit))
    return tuple(records)


def _run(run: Run) -> RunRecord:
    plan, manifest, progress = run.plan, run.public_manifest, run.progress()
    return RunRecord(
        id=run.id,
        title=plan.declared.title,
        purpose=plan.declared.purpose,
        started=_moment(manifest.get("started")),
        ended=_moment(manifest.get("ended")),
        plan_sha256=plan.digest,
        seed=plan.seed,
        units=Units(planned=progress.total, completed=progress.done, failed=progress.failed),
        incomplete=warning(run),
        fail_on=manifest.get("fail_on") or DEFAULT_LEVEL,
    )


def _review(run: Run, findings: Sequence[Finding]) -> ReviewRecord:
    """Where the review stands, and what was entered about the findings; comments stay in the log."""
    log = load_review(run)
    now = standing(log)
    decisions = []
    for finding in findings:
        entered = finding_review(log, finding.id)
        if entered.empty:
            continue
        decided = entered.decided
        decisions.append(
            DecisionRecord.model_validate(
                {
                    "finding": finding.id,
                    "decision": entered.decision,
                    "by": decided.by if decided else "",
                    "at": decided.at if decided else None,
                    "reason": decided.why if decided else "",
                    "owner": entered.owner.value if entered.owner else "",
                    "due": entered.due.value if entered.due else None,
                    "response": entered.response.why if entered.response else "",
                    "action": entered.action.value if entered.action else "open",
                }
            )
        )
    return ReviewRecord(version=now.version, status=now.status, entries=len(log.entries), decisions=tuple(decisions))


def _moment(value: Any) -> str | None:
    if not isinstance(value, str) or not value:
        return None
    moment = datetime.fromisoformat(value)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _outcome(finding: Finding) -> Outcome:
    evidence = tuple(_finite(number) for number in finding.evidence)
    return Outcome(
        id=finding.id,
        fingerprint=fingerprint(finding),
        rule=finding.rule,
        subject=finding.subject,
        title=finding.title,
        verdict=finding.status,
        severity=finding.severity,
        impact=finding.grade.impact if finding.grade else None,
        likelihood=finding.grade.likelihood if finding.grade else None,
        condition=finding.condition,
        criterion=finding.criterion,
        thresholds=finding.threshold,
        n=finding.n,
        unit=finding.unit,
        estimate=evidence[0] if evidence else None,
        evidence=evidence,
        samples=finding.samples,
        rule_of_samples=finding.rule_of_samples,
        counter_samples=finding.counter,
        rule_of_counter_samples=finding.counter_note,
        cause=finding.cause,
        effect=finding.effect,
        recommendation=finding.recommendation,
        reproduce=finding.reproduce,
        needed=finding.needed,
    )


def _finite(number: Any) -> Any:
    """A number as JSON can hold it: what is not finite is not known."""
    values = {name: getattr(number, name) for name in ("value", "low", "high", "p")}
    wrong = {name: None for name, value in values.items() if value is not None and not math.isfinite(value)}
    return number.model_copy(update=wrong) if wrong else number


def _methods(context: ReportContext) -> tuple[MethodRecord, ...]:
    rows = context.judged.rows(("kind", "method", "status", "image", "text"))
    rows = rows[rows.kind == "method"]
    failing = failing_methods(context.judged)
    records = []
    for name in context.summary.methods:
        own = rows[rows.method == name]
        explained = own[own.status == "ok"]
        records.append(
            MethodRecord(
                name=name,
                title=title_of(name),
                explanations=len(explained),
                failed=int((own.status == "failed").sum()),
                images=int(explained.image.nunique()),
                not_run={side: reason for method, side, reason in context.summary.not_run if method == name},
                fails_check=failing.get(name, ""),
            )
        )
    return tuple(records)


def _applications(run: Run) -> tuple[ApplicationRecord, ...]:
    manifest, failed = run.public_manifest, failed_applications(run)
    lacking = {name: str(reason) for name, side, reason in manifest.get("not_run", []) if side == "data set"}
    records = []
    for part in run.plan.applications:
        done = part.name in manifest.get("applications", {})
        state = "failed" if part.name in failed else "not run" if part.name in lacking else "open"
        records.append(
            ApplicationRecord.model_validate(
                {
                    "name": part.name,
                    # One of another version has no card here.
                    "title": APPLICATIONS[part.name].card.title if part.name in APPLICATIONS else part.name,
                    "state": "completed" if done and state == "open" else state,
                    "reason": failed.get(part.name) or lacking.get(part.name, ""),
                }
            )
        )
    return tuple(records)


def _data(context: ReportContext, sha256: str) -> DataRecord:
    run = context.run
    dataset, plan = run.dataset, run.plan
    shown = {sample.image for finding in context.findings for sample in (*finding.samples, *finding.counter)}
    return DataRecord(
        id=dataset.id,
        name=dataset.name,
        sha256=sha256,
        images=len(dataset.images),
        planned=len(plan.images),
        measured=context.summary.images,
        refused=len(dataset.refusals),
        provenance=plan.declared.provenance,
        licence=plan.declared.licence,
        files=dict(plan.files),
        shown=tuple(
            ImageRecord(id=image.id, name=image.name, sha256=image.sha256, format=image.format, bytes=image.bytes)
            for image in dataset.images
            if image.id in shown
        ),
    )


def _model(run: Run) -> ModelRecord:
    told = run.public_manifest.get("model", {})
    spec = run.plan.model.public()
    known = {name: told.get(name) for name in ModelRecord.model_fields if name not in _MODEL_DEFAULTS}
    values = {"title": told.get("title") or spec.title, "name": told.get("name") or spec.name}
    return ModelRecord(**known, **values, preprocessing=told.get("preprocessing") or {}, card=told.get("card") or {})


_MODEL_DEFAULTS = ("title", "name", "preprocessing", "card")


def _requirements(findings: Sequence[Finding], declared: Declared) -> tuple[FrameworkRecord, ...]:
    return tuple(
        FrameworkRecord(
            id=framework.id,
            title=framework.title,
            edition=framework.edition,
            source=framework.source,
            checked=framework.checked.isoformat(),
            note=framework.note,
            requirements=tuple(
                RequirementRecord(
                    id=row.requirement.id,
                    paraphrase=row.requirement.paraphrase,
                    state=row.state,
                    findings=row.findings,
                    passed=row.passed,
                    inconclusive=row.inconclusive,
                    outcomes=tuple(
                        finding.id
                        for finding in findings
                        if any(fnmatchcase(finding.rule, pattern) for pattern in row.requirement.rules)
                    ),
                    limits=row.requirement.limits,
                )
                for row in coverage(framework, findings, declared)
            ),
        )
        for framework in frameworks()
    )


def _environment(manifest: dict[str, Any]) -> Environment:
    told = manifest.get("environment", {})
    installed = manifest.get("installed")
    named = installed or [[name, version, ""] for name, version in told.get("packages", {}).items() if version]
    return Environment(
        loupe=str(told.get("loupe") or "unknown"),
        code_sha256=told.get("code_sha256"),
        commit=told.get("commit"),
        python=told.get("python"),
        packages=tuple(
            Package(name=name, version=version, licence=licence) for name, version, licence in sorted(named)
        ),
        complete=installed is not None,
    )
