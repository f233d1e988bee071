"""What changed since an earlier run of the same plan: the section of the report, and the same as plain values."""

from __future__ import annotations

from collections import Counter
from typing import Any

from core.content.context import ReportContext
from core.content.parts import Section
from core.content.tables import ColumnSpec, TableSpec
from core.content.words import SEVERITY_TITLES, measured, moment, plural
from core.findings.earlier import CHANGES, Changed, Earlier, changes, load_earlier
from core.rules import Finding, Number


def _side(state: str, severity: str, value: Number | None) -> str:
    shown = f"{state}, {SEVERITY_TITLES[severity].lower()}" if severity else state
    if value is None:
        return shown
    counted = f" {value.counted}" if value.counted else ""
    return f"{shown}: {value.name} {measured(value.value, value.low, value.high, value.n, value.unit)}{counted}"


CHANGED = TableSpec(
    ColumnSpec("Finding", "title", share=28),
    ColumnSpec("Change", lambda row: CHANGES[row.change], share=14),
    ColumnSpec("Earlier run", lambda row: _side(row.before_state, row.before_severity, row.before), share=29),
    ColumnSpec("This run", lambda row: _side(row.now_state, row.now_severity, row.now), share=29),
)


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


def counted(rows: tuple[Changed, ...]) -> str:
    """How many findings are new, closed or changed, in one sentence."""
    if not rows:
        return "Neither run has a finding."
    count = Counter(row.change for row in rows)
    parts = [f"{count[change]} {words.partition(':')[0]}" for change, words in CHANGES.items() if count[change]]
    return f"Of {plural(len(rows), 'finding')} in either run: {', '.join(parts)}."


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
        f"The earlier run \u201c{earlier.run}\u201d, which ended {moment(earlier.ended)}, has the same plan; both were "
        f"judged by the present rules. {changed} Whether a difference between two estimates exceeds chance was not "
        "tested."
    )
