"""Check what `make demo` left: a report of at least eight pages, sound results, evidence that verifies.

python tests/check_demo.py <run directory> [--planted]

The summary must state something about the model, the data or the texts. With `--planted`, the directory is one of
`python -m core demo --planted`, and the first finding must name the planted class and the corner of its sticker.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
import pikepdf

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from core.demonstration import METHODS_FOLDER
from core.evaluation.comparison import load_comparisons
from core.findings import load_findings
from core.findings.opinion import TRUST, by_concern
from core.planted import CLASS, CORNER
from core.reporting.verdict import verify_evidence
from core.rules.finding import Finding
from core.runs import Run, open_run

LEAST_PAGES, LEAST_IMAGES = 8, 60
HEADLINES = 3


def main(folder: Path, *, planted: bool = False, whole: bool = True) -> int:
    """0 if everything is as it should be; every problem is printed. `whole`: the audit of all images."""
    run = open_run(folder)
    problems = [*run_problems(run), *report_problems(run)]
    beside = sorted(path.parent for path in folder.glob("beside/*/plan.json"))
    compared = [one.other_run for one in load_comparisons(run)]
    if compared != [path.name for path in beside]:
        problems.append(f"compared with {compared}, not with {[path.name for path in beside]}")
    findings = by_concern([finding for finding in load_findings(run) if finding.status == "finding"])
    if planted:
        problems += planted_problems(findings)
    elif whole:
        problems += statement_problems(run, findings)
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{folder}: {len(run.plan.images)} images, {len(findings)} findings, {len(problems)} problems")
    more = [*beside, *(path.parent for path in folder.glob(f"{METHODS_FOLDER}/plan.json"))]
    return max([1 if problems else 0, *(main(path, whole=False) for path in more)])


def run_problems(run: Run) -> list[str]:
    """What is wrong with the results of a run."""
    problems: list[str] = []
    progress = run.progress()
    if progress.state != "done":
        problems.append(f"the run ended as {progress.state}: {progress.message}")
    rows = run.results()
    explained = rows[(rows.kind == "method") & (rows.status == "ok")]
    without = {method for method, *_ in run.manifest["not_run"]}
    for method in sorted({method.name for method in run.plan.methods} - without):
        images = explained[explained.method == method].image.nunique()
        if images != len(run.plan.images):
            problems.append(f"{method} explained {images} of {len(run.plan.images)} images")
    for row in explained[explained["map"].notna()].itertuples():
        values = np.asarray(row.map)
        if not np.isfinite(values).all() or len(values) != int(row.rows) * int(row.columns):
            problems.append(f"{row.method} on {row.image_name}: a map with wrong values or shape")
    problems += [f"{name} failed: {line}" for name, line in run.manifest.get("application_problems", {}).items()]
    for part in run.plan.applications:
        if part.name not in without and not any((run.folder / "applications" / part.name).glob("*")):
            problems.append(f"{part.name} left nothing")
    return problems


def report_problems(run: Run) -> list[str]:
    """What is wrong with the report and the evidence of a run."""
    problems: list[str] = []
    pdf = run.report / "report.pdf"
    with pikepdf.open(pdf) as opened:
        pages = len(opened.pages)
    if pages < LEAST_PAGES:
        problems.append(f"the report has {pages} pages, at least {LEAST_PAGES} are expected")
    checked = subprocess.run(["qpdf", "--check", str(pdf)], capture_output=True, text=True)
    if checked.returncode != 0:
        problems.append(f"qpdf: {checked.stdout.strip()} {checked.stderr.strip()}")
    return problems + verify_evidence(run.report / "evidence.zip")


def statement_problems(run: Run, findings: list[Finding]) -> list[str]:
    """Whether the summary of the audit of all images states something about the model, the data or the texts."""
    problems = []
    if len(run.plan.images) < LEAST_IMAGES:
        problems.append(f"{len(run.plan.images)} images were audited, at least {LEAST_IMAGES} are expected")
    if not any(finding.subject in ("model", "data", "texts") for finding in findings[:HEADLINES]):
        titles = [finding.title for finding in findings[:HEADLINES]]
        problems.append(f"no headline is about the model, the data or the texts: {titles}")
    return problems


def planted_problems(findings: list[Finding]) -> list[str]:
    """Whether the headline names the planted shortcut: its class and the corner of its mark, with evidence."""
    first = findings[0] if findings else None
    if first is None or first.subject == TRUST:
        return ["there is no headline about the model"]
    missing = [part for part in (f"\u201c{CLASS}\u201d", CORNER) if part not in first.title]
    problems = [f"the headline does not name {part}: {first.title}" for part in missing]
    if not first.evidence or not first.samples:
        problems.append(f"the headline has no evidence or no samples: {first.title}")
    return problems


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--planted", action="store_true")
    chosen = parser.parse_args()
    raise SystemExit(main(chosen.folder, planted=chosen.planted))
