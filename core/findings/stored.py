"""The findings as a file of the run."""

from __future__ import annotations

from pathlib import Path

from pydantic import TypeAdapter

from core.rules.finding import Finding
from core.runs import Run
from core.runs.manifest import write_json

_MANY = TypeAdapter(tuple[Finding, ...])


def save_findings(run: Run, findings: tuple[Finding, ...]) -> None:
    """Keep the findings as `findings.json` in the run directory."""
    write_json(run.folder / "findings.json", _MANY.dump_python(findings, mode="json"))


def load_findings(run: Run) -> tuple[Finding, ...]:
    """The findings stored with the run; none if it has not been judged."""
    path = run.folder / "findings.json"
    return read_findings(path) if path.exists() else ()


def read_findings(path: Path) -> tuple[Finding, ...]:
    """The findings in a file of `written`."""
    return _MANY.validate_json(path.read_bytes())


def written(findings: tuple[Finding, ...]) -> bytes:
    """The findings as JSON."""
    return _MANY.dump_json(findings)
