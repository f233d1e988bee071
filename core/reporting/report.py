"""From a run to its report folder: the report as PDF, HTML and data, the stakeholder edition, evidence, findings."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from core.content.assets import Assets
from core.content.context import ReportContext
from core.content.house_style import house_style
from core.content.parts import Report
from core.drafts import own_folder
from core.errors import RunError
from core.findings import Finding, apply_rules, consensus_methods
from core.languages import Voice, speaking
from core.reporting.document import build_report, with_version
from core.reporting.evidence import attachment, findings_json, write_evidence
from core.reporting.exports.collect import record_of
from core.reporting.exports.files import EXPORTS, export_files
from core.reporting.front import EVIDENCE_SHA256
from core.reporting.html import FULL_IN, STAKEHOLDER, render_html
from core.reporting.legibility import missing_fonts
from core.reporting.pdf import Limits, render_pdfs
from core.reporting.signatures.statement import STATEMENT
from core.reporting.versions import Version, continues, following, latest, replaces, set_aside, take_back
from core.rules import Context
from core.runs import Run
from core.runs.results import file_sha256
from core.runs.review import note_review

# Runs of earlier versions have no stakeholder edition, and no files for other programs.
SHORT = "stakeholder.pdf"
FILES = ("evidence.zip", "findings.json", *EXPORTS, "report.html", SHORT, "report.pdf")
REQUIRED = tuple(name for name in FILES if name not in (SHORT, *EXPORTS))


def render_report(
    run: Run,
    findings: Sequence[Finding] | None = None,
    *,
    judged: Context | None = None,
    limits: Limits | None = None,
) -> Path:
    """Write the run's report and return the path of the PDF. `findings` are judged again unless they are given.

    `judged` is what they were judged by; summary, thresholds, rows and records are then not read a second time.
    A cancelled run, or one with failed units, gets a report that says so on its cover. Files appear complete or not at
    all: a report that cannot be made leaves the earlier one untouched. A report that differs from a sealed one is a
    new version; the same report keeps its signatures. Raises `RunError` if not one unit is done or the
    renderer fails.
    """
    progress = run.progress()
    if not progress.done:
        raise RunError(
            f"run {run.id} has no finished unit to report on ({progress.failed} of {progress.total} failed); resume it"
        )
    take_back(run)
    judged = judged or Context(run)
    findings = tuple(apply_rules(judged) if findings is None else findings)
    context = ReportContext(judged, findings, Assets(), consensus_methods(judged))
    summary, assets = context.summary, context.assets
    run.report.mkdir(parents=True, exist_ok=True)
    with own_folder(".part-", run.report) as draft:
        (draft / "findings.json").write_bytes(findings_json(findings))
        note_review(run)
        record = record_of(context, file_sha256(run.dataset.root / "dataset.json"))
        exports = export_files(record)
        for name, data in exports.items():
            (draft / name).write_bytes(data)
        bundle = write_evidence(run, summary, findings, draft / "evidence.zip", exports)
        version = latest(run)
        style = house_style(run)
        full = style.voice if style.language in FULL_IN else Voice()

        def written(report: Report, standalone: bool = False) -> str:
            with speaking(full):
                return render_html(report, assets, standalone=standalone, style=style)

        with speaking(full):
            told = _in_its_words(context, full)
            report = build_report(told, evidence_sha256=bundle.sha256, files=bundle.files, version=version)
        page = written(report)
        if line := missing_fonts(page, assets):
            report = replace(report, fonts=line, limits=(line, *report.limits))
            page = written(report)
        html = written(report, standalone=True)
        (draft / "report.html").write_bytes(html.encode())
        new = replaces(run, draft)
        if new:
            version = following(run)
            with speaking(full):
                report = with_version(report, version, told)
            page = written(report)
            html = written(report, standalone=True)
            (draft / "report.html").write_bytes(html.encode())
        limits_known = record.model_dump(mode="json")["detection_limits"]
        evidence = attachment(run, summary, findings, bundle, html, version.number, version.predecessor, limits_known)
        editions = {SHORT: _for_stakeholders(context, report, version, full), "report.pdf": page}
        made = render_pdfs(
            list(editions.values()),
            assets,
            created=report.created,
            attached=("evidence.json", evidence),
            limits=limits or Limits(),
            place=draft,
        )
        for name, pdf in zip(editions, made, strict=True):
            (draft / name).write_bytes(pdf)
        if new:
            set_aside(run, version)
            # It was signed over the bundle that is replaced.
            (run.report / STATEMENT).unlink(missing_ok=True)
        for name in FILES:
            if not continues(run.report / name, draft / name):
                _settle(draft / name, run.report / name)
    return run.report / "report.pdf"


def _in_its_words(context: ReportContext, voice: Voice) -> ReportContext:
    """The context with findings in the words of a voice: the same rows are judged again, and written by it.

    What is stored of a finding stays English.
    """
    if voice == Voice():
        return context
    judged = Context.of(context.run, context.summary, context.thresholds)
    return ReportContext(judged, apply_rules(judged), context.assets, context.consensus, stored=context.findings)


def _for_stakeholders(context: ReportContext, report: Report, version: Version, full: Voice) -> str:
    """The page of the stakeholder edition, in the language of the house style; the full edition may have another."""
    style = house_style(context.run)
    with speaking(style.voice):
        if style.voice != full:
            sha256 = next(fact.value for fact in report.cover.control if fact.name == EVIDENCE_SHA256)
            told = build_report(_in_its_words(context, style.voice), evidence_sha256=sha256, version=version)
            report = replace(told, fonts=report.fonts)
        return render_html(report, context.assets, standalone=False, edition=STAKEHOLDER, style=style)


def _settle(draft: Path, target: Path) -> None:
    with draft.open("rb") as stream:
        os.fsync(stream.fileno())
    draft.replace(target)
