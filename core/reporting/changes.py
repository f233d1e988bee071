"""What changed since an earlier run of the same plan: the section of the report, and the same as plain values."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from core.content.context import ReportContext
from core.content.parts import Fact, Section
from core.content.tables import ColumnSpec, TableSpec
from core.content.words import SEVERITY_TITLES, measured, moment, plural
from core.findings.earlier import CHANGES, Change, Changed, Earlier, changes, load_earlier
from core.languages import say
from core.reporting.versions import Version
from core.rules import Finding, Number
from core.runs import Run
from core.runs.review import Review, finding_review, load_review
from core.runs.succession import predecessor_of


def _side(state: str, severity: str, value: Number | None, decision: str = "") -> str:
    shown = f"{say(state)}, {say(SEVERITY_TITLES[severity]).lower()}" if severity else say(state)
    shown = f"{shown}, {say(DECISIONS[decision])}" if decision else shown
    if value is None:
        return shown
    counted = f" {say(value.counted)}" if value.counted else ""
    return f"{shown}: {value.name} {measured(value.value, value.low, value.high, value.n, value.unit)}{counted}"


CHANGED = TableSpec(
    ColumnSpec("Finding", "title", share=28),
    ColumnSpec("Change", lambda row: say(CHANGES[row.change]), share=14),
    ColumnSpec(
        "Before", lambda row: _side(row.before_state, row.before_severity, row.before, row.before_decision), share=29
    ),
    ColumnSpec("Now", lambda row: _side(row.now_state, row.now_severity, row.now, row.now_decision), share=29),
)
VERSIONS = "Changes since the revision before"  # messages
# What was decided about a finding in the review.
DECISIONS = {"open": "open", "accepted": "accepted", "dismissed": "dismissed"}  # messages
# The same as `CHANGES` where findings are counted.
_COUNTED: dict[Change, str] = {
    "new": "new",
    "closed": "closed",
    "inconclusive now": "no longer shown",
    "not judged now": "no longer judged",
    "changed": "changed",
    "decided": "with another decision",
    "unchanged": "unchanged",
}  # messages
# The parts of a plan, as a sentence names what differs.
PLAN_PARTS = (
    "version", "dataset", "dataset root", "images", "model", "texts", "methods", "applications", "plugins", "trust",
    "seed", "shard", "thresholds", "files", "plan",
)  # fmt: skip  # messages


def since_earlier(context: ReportContext) -> tuple[Section, ...]:
    """One section if an earlier run was named, otherwise none."""
    earlier = load_earlier(context.run)
    if earlier is None:
        return ()
    rows = _changes(earlier.findings, context)
    shown = [row for row in rows if row.change != "unchanged"]
    caption = say("Findings that differ between the two runs, with 95 % interval")
    tables = (CHANGED.table(caption, shown),) if shown else ()
    return (
        Section("Changes since the earlier run", sentences=(_told(earlier, context), counted(rows)), tables=tables),
    )


def since_version(context: ReportContext, version: Version | None) -> tuple[Section, ...]:
    """What changed since the version of the report that this one replaces; none if it is the first."""
    if version is None or not version.predecessor:
        return ()
    told = say(
        "Revision {number} of this report replaces revision {before}, whose PDF has the SHA-256 {sha256}.",
        number=str(version.number),
        before=str(version.number - 1),
        sha256=version.predecessor,
    )
    if version.findings is None:
        unread = say("Its findings cannot be read by this version of Loupe.")
        return (Section(VERSIONS, sentences=(f"{told} {unread}",)),)
    rows = _changes(version.findings, context)
    if version.review is not None:
        now = load_review(context.run)
        rows = _decided(rows, version.review, now)
        more = len(now.entries) - len(version.review.entries)
        since = say("Entries of the review log that were added since: {count}.", count=str(more))
        told = f"{told} {since}"
    shown = [row for row in rows if row.change != "unchanged"]
    caption = say("Findings that differ between the two revisions, with 95 % interval")
    tables = (CHANGED.table(caption, shown),) if shown else ()
    return (Section(VERSIONS, sentences=(told, counted(rows, "revision")), tables=tables),)


def _decided(rows: tuple[Changed, ...], before: Review, now: Review) -> tuple[Changed, ...]:
    """The rows with the decisions that differ between two states of the review log."""

    def told(row: Changed) -> Changed:
        first, second = (finding_review(log, row.id).decision for log in (before, now))
        if first == second:
            return row
        change = "decided" if row.change == "unchanged" else row.change
        return replace(row, change=change, before_decision=first, now_decision=second)

    return tuple(map(told, rows))


def _changes(before: tuple[Finding, ...], context: ReportContext) -> tuple[Changed, ...]:
    """What changed between stored findings, which are English, in the words of the report where it has them.

    What is judged no longer has the message of its text, if that is fixed; a text with values in it stays English.
    """
    now = context.stored or context.findings
    titles = {(finding.id, finding.title) for finding in now}
    told = dict(zip((finding.id for finding in now), context.findings, strict=True))
    words = {
        (finding.id, english.name): number
        for finding in now
        for english, number in zip(finding.evidence, told[finding.id].evidence, strict=True)
    }

    def worded(row: Changed, value: Number | None) -> Number | None:
        if value is None:
            return None
        known = words.get((row.id, value.name))
        told = (known.name, known.unit, known.counted) if known else map(say, (value.name, value.unit, value.counted))
        return value.model_copy(update=dict(zip(("name", "unit", "counted"), told, strict=True)))

    return tuple(
        replace(
            row,
            # A finding that is closed keeps the title that it had.
            title=told[row.id].title if (row.id, row.title) in titles else say(row.title),
            before=worded(row, row.before),
            now=worded(row, row.now),
        )
        for row in changes(before, now)
    )


def predecessor_fact(run: Run) -> tuple[Fact, ...]:
    """From which run this one was planned, and whether its findings are compared; none if it was planned from none."""
    name = predecessor_of(run)
    if not name:
        return ()
    told = say("The run \u201c{name}\u201d, from whose plan this audit was planned.", name=name)
    problem = str(run.manifest.get("predecessor_problem") or "")
    more = (
        say("Findings are not compared: {problem}.", problem=say(problem))
        if problem
        else say("The chapter on assurance lists what changed since.")
    )
    return (Fact("Predecessor", f"{told} {more}"),)


def counted(rows: tuple[Changed, ...], what: str = "run") -> str:
    """How many findings are new, closed or changed, in one sentence."""
    runs = what == "run"
    if not rows:
        return say("Neither run has a finding.") if runs else say("Neither revision has a finding.")
    count = Counter(row.change for row in rows)
    parts = [f"{count[change]} {say(words)}" for change, words in _COUNTED.items() if count[change]]
    told = {"findings": plural(len(rows), "finding"), "changes": ", ".join(parts)}
    if runs:
        return say("Of {findings} in either run: {changes}.", **told)
    return say("Of {findings} in either revision: {changes}.", **told)


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
        return say("the same plan")
    return say(
        "another plan (different {parts}), which alone can make a finding new, closed or changed",
        parts=", ".join(map(say, earlier.differs)),
    )


def _told(earlier: Earlier, context: ReportContext) -> str:
    manifest = context.run.manifest
    weights = manifest.get("model", {}).get("digest") or ""
    code = manifest.get("environment", {}).get("code_sha256") or ""
    changed = {
        (False, False): "Weights and program are the same.",
        (True, False): "The weights differ.",
        (False, True): "The program differs.",
        (True, True): "The weights and the program differ.",
    }  # messages
    return say(
        "The earlier run \u201c{run}\u201d, which ended {ended}, has {plan}; both were judged by the present rules. "
        "{changed} Whether a difference between two estimates exceeds chance was not tested.",
        run=earlier.run,
        ended=moment(earlier.ended),
        plan=_plan(earlier),
        changed=say(changed[earlier.model_sha256 != weights, earlier.code_sha256 != code]),
    )
