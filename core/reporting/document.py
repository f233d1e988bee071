"""The whole report as plain values, from a run, its summary and its findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.evaluation.summary import Summary
from core.findings import Finding, failed_methods, healthy_methods, load_thresholds, run_thresholds
from core.reporting.annex import annexes
from core.reporting.applications import applications
from core.reporting.assets import Assets
from core.reporting.body import absent, cards, data, scope, subject, thresholds_of
from core.reporting.comparison import comparisons
from core.reporting.content import Report
from core.reporting.front import cover, limits, overview
from core.reporting.gallery import Plates, choose, choose_methods
from core.reporting.register import blocks, passed, register, undecided
from core.reporting.trust import trust
from core.reporting.words import GLOSSARY, report_date
from core.runs import Run


def build_report(
    run: Run,
    summary: Summary,
    findings: Sequence[Finding],
    assets: Assets,
    *,
    evidence_sha256: str = "",
    files: Mapping[str, str] | None = None,
) -> Report:
    """Everything the templates print. Pictures and charts are added to `assets`; nothing depends on the clock."""
    plates = Plates(run, assets)
    date = report_date(run)
    told = limits(run, summary)
    chosen, rule = choose(run, summary)
    methods, whole = choose_methods(run, summary)
    # The first picture shows every method; text strips are kept for all.
    thresholds, failed = load_thresholds(run_thresholds(run)), failed_methods(run)
    healthy = tuple(name for name in healthy_methods(summary, thresholds) if name not in failed)
    samples = [
        plates.sample(image, why, methods=() if at == 0 else methods, agreed=healthy if at == 0 else None)
        for at, (image, why) in enumerate(chosen)
    ]
    return Report(
        run=run.id,
        title=run.plan.declared.title,
        date=date.strftime("%Y-%m-%d"),
        created=date.strftime("%Y-%m-%dT%H:%M:%SZ"),
        cover=cover(run, date.strftime("%Y-%m-%d"), evidence_sha256),
        overview=overview(run, summary, findings, plates, assets, told),
        scope=scope(run, thresholds_of(run)),
        subject=subject(run),
        data=tuple(section for section in data(run, plates) if not section.empty),
        cards=cards(run, summary),
        absent=absent(run, summary),
        trust=(*trust(run, summary, assets), *comparisons(run)),
        applications=applications(run, assets),
        gallery=tuple(sample for sample in samples if sample is not None),
        gallery_rule=f"{rule} {whole}".strip(),
        register=register(findings),
        findings=blocks(findings, plates),
        passed=passed(findings),
        undecided=undecided(findings),
        limits=told,
        annexes=annexes(run, summary, files or {}),
        glossary=GLOSSARY,
    )
