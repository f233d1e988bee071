"""Whether the files of a run are still those that its units and stages wrote."""

from __future__ import annotations

from pathlib import Path

from core.runs.results import file_sha256
from core.runs.run import Run

APPLICATIONS = "applications"


def changed_files(run: Run) -> list[str]:
    """What is missing, changed or added in a run's results and in the folders of its applications, one line each.

    Results are checked against the units, files of applications against the hashes that the manifest names. An empty
    list means that all are as they were written. Reading only; raises `RunError` if the run's own records are damaged.
    """
    manifest = run.manifest
    problems = []
    if manifest.get("plan_sha256", run.plan.digest) != run.plan.digest:
        problems.append("plan.json is not the plan that the work was done for")
    for unit in run.store.units():
        file = run.folder / "results" / f"{unit['key']}.parquet"
        if unit["state"] == "done" and not _same(file, unit["sha256"]):
            problems.append(f"{file.name} is missing or changed")
    named: set[str] = set()
    for told in manifest.get(APPLICATIONS, {}).values():
        for name, sha256 in told["files"].items():
            named.add(name)
            if not _same(run.folder / name, sha256):
                problems.append(f"{name} is missing or changed")
    for name in manifest.get(APPLICATIONS, {}):
        present = (path for path in sorted((run.folder / APPLICATIONS / name).rglob("*")) if path.is_file())
        added = [path.relative_to(run.folder).as_posix() for path in present]
        problems += [f"{path} was added after the work was done" for path in added if path not in named]
    return problems


def _same(file: Path, sha256: str) -> bool:
    return file.is_file() and file_sha256(file) == sha256
