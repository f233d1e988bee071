"""What changed since an earlier run of the same plan: the section of the report, and the same as plain values."""

from __future__ import annotations

from collections import Counter
from typing import Any

from core.content.context import ReportContext
from core.content.parts import Fact, Section
from core.content.tables import ColumnSpec, TableSpec
from core.content.words import SEVERITY_TITLES, measured, moment, plural
from core.findings.earlier import CHANGES, Changed, Earlier, changes, load_earlier
from core.reporting.versions import Version
from core.rules import Finding, Number
from core.runs import Run
from core.runs.shelf import predecessor_of


def _side(state: str, severity: str, value: Number | None) -> str:
    shown = f"{state}, {SEVERITY_TITLES[severity].lower()}" if severity else state
    if value is None:
        return shown
    counted = f" {value.counted}" if value.counted else ""
    return f"{shown}: {value.name} {measured(value.value, value.low, value.high, value.n, value.unit)}{counted}"


CHANGED = TableSpec(
    ColumnSpec("Finding", "title", share=28),
    ColumnSpec("Change", lambda row: CHANGES[row.change], share=14),
    ColumnSpec("Before", lambda row: _side(row.before_state, row.before_severity, row.before), share=29),
    ColumnSpec("Now", lambda row: _side(row.now_state, row.now_severity, row.now), share=29),
)
VERSIONS = "Changes since the version before"


def since_earlier(context: ReportContext) -> tuple[Section, ...]:
    """One section if an earlier run was named, otherwise none."""
    earlier = load_earlier(context.run)
    if earlier is None:
        return ()
    rows = changes(earlier.findings, context.findings)
    shown = [row for row in rows if row.change != "unchanged"]
    tables = (CHANGED.table("Findings that differ between the two runs, with 95 % interval", shown),) if shown else ()
    return (
        Section("Changes since the earlier run", sentences=(_told(earlier, context), counted(rows)), tables=tables),
    )


def since_version(findings: tuple[Finding, ...], version: Version | None) -> tuple[Section, ...]:
    """What changed since the version of the report that this one replaces; none if it is the first."""
    if version is None or not version.predecessor:
        return ()
    before = f"version {version.number - 1}, whose PDF has the SHA-256 {version.predecessor}"
    told = f"Version {version.number} of this report replaces {before}."
    if version.findings is None:
        return (Section(VERSIONS, sentences=(f"{told} Its findings cannot be read by this version of Loupe.",)),)
    rows = changes(version.findings, findings)
    shown = [row for row in rows if row.change != "unchanged"]
    tables = (
        (CHANGED.table("Findings that differ between the two versions, with 95 % interval", shown),) if shown else ()
    )
    return (Section(VERSIONS, sentences=(told, counted(rows, "version")), tables=tables),)


def predecessor_fact(run: Run) -> tuple[Fact, ...]:
    """From which run this one was planned, and whether its findings are compared; none if it was planned from none."""
    name = predecessor_of(run)
    if not name:
        return ()
    told = f"The run \u201c{name}\u201d, from whose plan this audit was planned."
    problem = str(run.manifest.get("predecessor_problem") or "")
    if problem:
        return (Fact("Predecessor", f"{told} Findings are not compared: {problem}."),)
    return (Fact("Predecessor", f"{told} The chapter on assurance lists what changed since."),)


def counted(rows: tuple[Changed, ...], what: str = "run") -> str:
    """How many findings are new, closed or changed, in one sentence."""
    if not rows:
        return f"Neither {what} has a finding."
    count = Counter(row.change for row in rows)
    parts = [f"{count[change]} {words.partition(':')[0]}" for change, words in CHANGES.items() if count[change]]
    return f"Of {plural(len(rows), 'finding')} in either {what}: {', '.join(parts)}."


def changes_data(earlier: Earlier | None, findings: tuple[Finding, ...]) -> dict[str, Any] | None:
    """The same as plain values; None without an earlier run."""
    if earlier is None:
        return None
    rows = [
        {
            "id": row.id,
            "title": row.title,
            "change": row.change,
            "before": {"state": row.before_state, "severity": row.before_severity, "estimate": _plain(row.before)},
            "now": {"state": row.now_state, "severity": row.now_severity, "estimate": _plain(row.now)},
        }
        for row in changes(earlier.findings, findings)
    ]
    return {"run": earlier.run, "ended": earlier.ended, "changes": rows}


def _plain(value: Number | None) -> dict[str, Any] | None:
    return None if value is None else value.model_dump(mode="json")


def _plan(earlier: Earlier) -> str:
    if not earlier.differs:
        return "the same plan"
    return (
        f"another plan (different {', '.join(earlier.differs)}), which alone can make a finding new, closed or changed"
    )


def _told(earlier: Earlier, context: ReportContext) -> str:
    manifest = context.run.manifest
    weights = manifest.get("model", {}).get("digest") or ""
    code = manifest.get("environment", {}).get("code_sha256") or ""
    differ = [
        name
        for name, before, now in (("weights", earlier.model_sha256, weights), ("program", earlier.code_sha256, code))
        if before != now
    ]
    changed = "Weights and program are the same."
    if differ:
        changed = f"The {' and the '.join(differ)} differ{'s' if differ == ['program'] else ''}."
    return (
        f"The earlier run \u201c{earlier.run}\u201d, which ended {moment(earlier.ended)}, has {_plan(earlier)}; both "
        f"were judged by the present rules. {changed} Whether a difference between two estimates exceeds chance was "
        "not tested."
    )
