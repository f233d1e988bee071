"""The whole report as plain values, from a run, its summary and its findings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from core.applications.registry import image_flags
from core.content.context import ReportContext
from core.content.parts import Report, Section
from core.content.words import report_date
from core.findings import failing_methods, methods_above_controls
from core.glossary import GLOSSARY, used
from core.languages import SOURCE, day, language, say, voice
from core.reporting.abridged import Chapter, divided, parted
from core.reporting.annex import annexes
from core.reporting.applications import applications
from core.reporting.assurance import assurance
from core.reporting.body import data, scope
from core.reporting.changes import VERSIONS, since_version
from core.reporting.comparison import comparisons
from core.reporting.detection import detection_table
from core.reporting.front import cover, overview, version_facts
from core.reporting.gallery import Plates, choose, choose_methods
from core.reporting.html import template_texts
from core.reporting.limitations import limits
from core.reporting.register import blocks, in_full, passed, register, reliability, short_by_plan, undecided
from core.reporting.requirements import matrix
from core.reporting.stakeholder import open_questions, open_sentence
from core.reporting.subject import subject
from core.reporting.trust import trust
from core.reporting.versions import Version
from core.runs.review import load_review

# Titles of parts of the report that are chapters in the annex.
CHECKS_IN_FULL, DATA = "Findings and checks", "Data"  # messages
RELIABILITY, BESIDE, ASSURANCE = "Reliability of the explanations", "Other models", "Assurance and review"  # messages


def build_report(
    context: ReportContext,
    *,
    evidence_sha256: str = "",
    files: Mapping[str, str] | None = None,
    version: Version | None = None,
) -> Report:
    """Everything the templates print. Images and charts are added to `assets`; nothing depends on the clock."""
    run, findings = context.run, context.findings
    review = load_review(run)
    judged = context.judged
    plates = Plates(run, context.assets, failing_methods(judged), methods_above_controls(judged), image_flags(run))
    date = report_date(run)
    replaced = version_facts(version or Version())
    told = limits(context)
    chosen, rule = choose(context)
    methods, whole = choose_methods(context)
    # The first image shows every method; text strips are kept for all.
    samples = [
        plates.sample(image, why, methods=() if at == 0 else methods, agreed=at == 0)
        for at, (image, why) in enumerate(chosen)
    ]
    here, further, rule = parted([sample for sample in samples if sample is not None], f"{rule} {whole}".strip())
    found = blocks(findings, plates, review)
    detection = detection_table(findings, context.thresholds)
    checks = Chapter(CHECKS_IN_FULL, in_full(findings, found, detection))
    described = Chapter(DATA, data(context, plates))
    reliable, beside = Chapter(RELIABILITY, trust(context)), Chapter(BESIDE, comparisons(context))
    assured = Chapter(ASSURANCE, tuple(replace(section, place="body") for section in assurance(context)))
    (checks_here, data_here, trust_here, beside_here, assured_here, *analyses), rest = divided(
        (checks, described, reliable, beside, assured, *applications(context))
    )
    made = Report(
        run=run.id,
        title=say(run.plan.declared.title),
        date=date.strftime("%Y-%m-%d"),
        created=date.strftime("%Y-%m-%dT%H:%M:%SZ"),
        cover=cover(context, day(date), evidence_sha256, replaced),
        overview=overview(context, plates, told),
        scope=scope(context),
        subject=subject(context),
        data=data_here,
        trust=(*_untitled(trust_here), *beside_here),
        applications=tuple(section for part in analyses for section in part),
        gallery=here,
        gallery_rule=rule,
        register=register(findings, review, context.thresholds),
        reliability=reliability(findings, review, context.thresholds),
        findings=found,
        findings_links=tuple(link for section in checks_here for link in section.links),
        passed=passed(findings),
        undecided=undecided(findings, note=short_by_plan(context)),
        limits=told,
        open_questions=open_questions(findings),
        open_sentence=open_sentence(findings),
        assurance=(*assured_here, *since_version(context, version)),
        requirements=(matrix(findings, run.plan.declared),),
        annexes=annexes(context, files or {}, rest, further, tuple(GLOSSARY.values())),
    )
    return _with_terms_used(made)


def _with_terms_used(report: Report) -> Report:
    """The report with a glossary of the terms alone that it uses, in its own texts or in those of its templates."""
    rest = replace(report, annexes=tuple(replace(section, terms=()) for section in report.annexes))
    texts = (*printed(rest), *template_texts())
    terms = used(texts, voice().message, inflected=language() != SOURCE)
    return replace(report, annexes=tuple(replace(part, terms=terms) if part.terms else part for part in report.annexes))


def printed(value: Any) -> Iterator[str]:
    """Every text of a report, of a part of it, or of a tuple of parts."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for part in value:
            yield from printed(part)
    elif is_dataclass(value):
        for each in fields(value):
            yield from printed(getattr(value, each.name))


def _untitled(sections: tuple[Section, ...]) -> tuple[Section, ...]:
    """The sections of a part of one chapter: the first one stands under the title of the part."""
    return tuple(replace(section, title="") if at == 0 else section for at, section in enumerate(sections))


def with_version(report: Report, version: Version, context: ReportContext) -> Report:
    """The same report of `context` as another version."""
    facts = {fact.name: fact for fact in version_facts(version)}
    old = [fact for fact in report.cover.facts if fact.name not in facts]
    assured = [section for section in report.assurance if section.title != VERSIONS]
    return replace(
        report,
        cover=replace(report.cover, facts=(*old, *facts.values())),
        assurance=(*assured, *since_version(context, version)),
    )
