"""Check what `make demo` left: a report of at least eight pages, sound results, evidence that verifies.

python tests/check_demo.py <run directory>
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pikepdf

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from core.evaluation.comparison import load_comparisons
from core.reporting.verdict import verify_evidence
from core.runs import open_run

LEAST_PAGES = 8


def main(folder: Path) -> int:
    """0 if everything is as it should be; every problem is printed."""
    run = open_run(folder)
    problems: list[str] = []
    progress = run.progress()
    if progress.state != "done":
        problems.append(f"the run ended as {progress.state}: {progress.message}")
    rows = run.results()
    explained = rows[(rows.kind == "method") & (rows.status == "ok")]
    planned = {method.name for method in run.plan.methods}
    without = {method for method, *_ in run.manifest["not_run"]}
    for method in sorted(planned):
        pictures = explained[explained.method == method].image.nunique()
        if pictures != len(run.plan.images) and method not in without:
            problems.append(f"{method} explained {pictures} of {len(run.plan.images)} pictures")
    for row in explained[explained["map"].notna()].itertuples():
        values = np.asarray(row.map)
        if not np.isfinite(values).all() or len(values) != int(row.rows) * int(row.columns):
            problems.append(f"{row.method} on {row.image_name}: a map with wrong values or shape")
    pdf = run.report / "report.pdf"
    with pikepdf.open(pdf) as opened:
        pages = len(opened.pages)
    if pages < LEAST_PAGES:
        problems.append(f"the report has {pages} pages, at least {LEAST_PAGES} are expected")
    checked = subprocess.run(["qpdf", "--check", str(pdf)], capture_output=True, text=True)
    if checked.returncode != 0:
        problems.append(f"qpdf: {checked.stdout.strip()} {checked.stderr.strip()}")
    problems += verify_evidence(run.report / "evidence.zip")
    problems += [f"{name} failed: {line}" for name, line in run.manifest.get("application_problems", {}).items()]
    for part in run.plan.applications:
        if part.name not in without and not any((run.folder / "applications" / part.name).glob("*")):
            problems.append(f"{part.name} left nothing")
    beside = sorted(path.parent for path in folder.glob("beside/*/plan.json"))
    compared = [one.other_run for one in load_comparisons(run)]
    if compared != [path.name for path in beside]:
        problems.append(f"compared with {compared}, not with {[path.name for path in beside]}")
    for problem in problems:
        print(problem, file=sys.stderr)
    print(
        f"{folder}: {len(explained)} explanations of {explained.image.nunique()} pictures, {pages} pages, "
        f"{len(problems)} problems"
    )
    return max([1 if problems else 0, *(main(path) for path in beside)])


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
