"""How an audit ended, for the command line: what to print, and whether the exit code is 0 or 1."""

from __future__ import annotations

from typing import Any

from core.runs import Run

_SEVERITY = {"note": 0, "low": 1, "medium": 2, "high": 3}


def outcome(run: Run, state: str, fail_on: str | None) -> tuple[dict[str, Any], int]:
    """The answer and the exit code of a run that ended in `state`.

    The code is 1 if nothing worked, if any planned unit, explanation or application failed, or if there is a finding
    of severity `fail_on` or above. What the model cannot serve was not planned for it and did not fail.
    """
    from core.findings import NOTHING, failed_applications, load_findings
    from core.reporting.legibility import font_warning

    findings = [finding for finding in load_findings(run) if finding.status == "finding"]
    counts = {word: sum(f.severity == word for f in findings) for word in ("high", "medium", "low")}
    worst = max((_SEVERITY[f.severity] for f in findings), default=0)
    progress, applications = run.progress(), failed_applications(run)
    rows = run.results(["kind", "status"]) if progress.done else None
    explanations = 0 if rows is None else int((rows.status == "failed").sum())
    lacking = {name: why for name, side, why in run.manifest.get("not_run", []) if side == "data set"}
    idle = not run.plan.methods and all(part.name in {*applications, *lacking} for part in run.plan.applications)
    nothing = idle or any(finding.id == NOTHING for finding in findings)
    failed = bool(state == "failed" or progress.failed or explanations or applications)
    pdf = run.report / "report.pdf"
    illegible = font_warning(run)
    data = {
        "run": str(run.folder),
        "state": state,
        "report": str(pdf) if pdf.exists() else None,
        "findings": counts,
        "fonts": illegible,
        "nothing_worked": nothing,
        "units_failed": progress.failed,
        "explanations_failed": explanations,
        "applications_failed": applications,
        "applications_not_run": lacking,
    }
    lines = [f"{state}: {counts['high']} high, {counts['medium']} medium, {counts['low']} low findings"]
    lines += [str(pdf.resolve())] if pdf.exists() else [progress.message]
    lines += [illegible] if illegible else []
    lines += ["nothing succeeded: this audit gives no information about the model"] if nothing else []
    lines += [f"{progress.failed} of {progress.total} units failed"] if progress.failed else []
    lines += [f"{explanations} of {len(rows)} result rows failed"] if rows is not None and explanations else []
    lines += [f"{name} failed: {line}" for name, line in applications.items()]
    lines += [f"{name} not run: {line}" for name, line in lacking.items()]
    too_severe = fail_on is not None and worst >= _SEVERITY[fail_on]
    return {"text": "\n".join(lines), "data": data}, int(failed or nothing or too_severe)
