"""From a run to its report folder: `report.html`, `report.pdf`, `evidence.zip` and `findings.json`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from core.drafts import draft_folder
from core.errors import RunError
from core.evaluation.summary import summarise
from core.findings import Finding, judge
from core.reporting.assets import Assets
from core.reporting.document import build_report
from core.reporting.evidence import attachment, findings_json, write_evidence
from core.reporting.html import render_html
from core.reporting.pdf import Limits, render_pdf
from core.runs import Run

FILES = ("evidence.zip", "findings.json", "report.html", "report.pdf")


def render_report(run: Run, findings: Sequence[Finding] | None = None, *, limits: Limits | None = None) -> Path:
    """Write the run's report and return the path of the PDF. `findings` are judged anew unless they are given.

    A cancelled run, or one with failed units, gets a report that says so on its cover. Files appear complete or not at
    all: a report that can't be made leaves the one before untouched. Raises `RunError` if not one unit is done or the
    renderer fails.
    """
    progress = run.progress()
    if not progress.done:
        raise RunError(
            f"run {run.id} has no finished unit to report on ({progress.failed} of {progress.total} failed); resume it"
        )
    summary = summarise(run)
    judged = tuple(judge(run, summary) if findings is None else findings)
    run.report.mkdir(parents=True, exist_ok=True)
    draft = draft_folder(".part-", run.report)
    try:
        (draft / "findings.json").write_bytes(findings_json(judged))
        bundle = write_evidence(run, summary, judged, draft / "evidence.zip")
        assets = Assets()
        report = build_report(run, summary, judged, assets, evidence_sha256=bundle.sha256, files=bundle.files)
        html = render_html(report, assets, standalone=True)
        (draft / "report.html").write_bytes(html.encode())
        pdf = render_pdf(
            render_html(report, assets, standalone=False),
            assets,
            created=report.created,
            attached=("evidence.json", attachment(run, summary, judged, bundle, html)),
            limits=limits or Limits(),
            place=draft,
        )
        (draft / "report.pdf").write_bytes(pdf)
        for name in FILES:
            _settle(draft / name, run.report / name)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return run.report / "report.pdf"


def _settle(draft: Path, target: Path) -> None:
    with draft.open("rb") as stream:
        os.fsync(stream.fileno())
    draft.replace(target)
