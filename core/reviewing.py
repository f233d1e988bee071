"""`python -m core review`: the review log of a run, shown or continued by one entry."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any

from core.characters import brief
from core.content.words import SEVERITY_TITLES, moment, plural
from core.errors import InputError
from core.findings import Finding, load_findings
from core.reporting.assurance import decision_text, response_text, said
from core.run_commands import Answer, find_run
from core.runs import Run
from core.runs.access import actor_here
from core.runs.review import (
    ACTIONS,
    ASSURANCES,
    FINDING_KINDS,
    REASONS,
    Entry,
    Kind,
    Review,
    add_entry,
    finding_review,
    load_review,
    standing,
)


@dataclass(frozen=True)
class _Act:
    """One way to continue the log. about: "finding", "either" (a finding or the report) or "report"."""

    kind: Kind
    help: str
    about: str = "report"
    value: str = ""
    choices: tuple[str, ...] = ()


ACTS = {
    "comment": _Act("comment", "comment on a finding, or on the report if none is named; the text is --why", "either"),
    "accept": _Act("accept", "accept a finding as correct", "finding"),
    "dismiss": _Act("dismiss", "dismiss a finding; needs --why. It stays in the report, with the reason", "finding"),
    "owner": _Act("owner", "name who is responsible for the corrective action", "finding", "NAME"),
    "due": _Act("due", "set the date by which the corrective action is due", "finding", "YYYY-MM-DD"),
    "respond": _Act("response", "record the response to a finding; the text is --why", "finding"),
    "action": _Act("action", "record how far the corrective action is", "finding", "STATUS", ACTIONS),
    "prepare": _Act("prepared", "state who prepared this version; after `supersede`, begin the next version"),
    "review": _Act("reviewed", "record that somebody other than the preparer reviewed the report"),
    "approve": _Act("approved", "approve the reviewed report; the preparer cannot"),
    "supersede": _Act("superseded", "withdraw the approved report; needs --why"),
    "addressee": _Act("addressee", "name for whom the report is written", value="NAME"),
    "assurance": _Act("assurance", "declare the level of assurance", value="LEVEL", choices=ASSURANCES),
    "independence": _Act("independence", "declare how independent the auditors are", value="TEXT"),
    "valid-until": _Act("validity", "set the date until which the report is valid", value="YYYY-MM-DD"),
    "distribute": _Act("distribution", "add a recipient to the distribution list", value="NAME"),
}


def review_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `review` to its parser."""
    parser.description = (
        "Show the review log of a run, or add an entry to it. Entries are never changed or removed; each names the "
        "hash of the one before it. Names are recorded as typed and marked as not verified, unless the operator has "
        "said to whom this account belongs. "
        'Example: review out/run --by "A. Auditor" dismiss trust.controls --why "Known, see ticket 12".'
    )
    parser.add_argument("run_directory", help="run directory or id")
    parser.add_argument("--by", metavar="NAME", help="who makes the entry")
    acts = parser.add_subparsers(dest="act", metavar="entry", title="entries (without one, the log is shown)")
    for name, act in ACTS.items():
        each = acts.add_parser(name, help=act.help, description=f"{act.help[0].upper()}{act.help[1:]}.")
        if act.about != "report":
            optional = "?" if act.about == "either" else None
            each.add_argument(
                "finding", nargs=optional, metavar="FINDING", help="id of a finding, as `review RUN` lists it"
            )
        if act.value:
            each.add_argument(
                "value", choices=act.choices or None, metavar=act.value, help=", ".join(act.choices) or None
            )
        each.add_argument("--why", default="", metavar="TEXT", help="the reason, or the text of a comment or response")
        # Also after the entry; what stands before it is not overwritten.
        each.add_argument("--by", default=argparse.SUPPRESS, metavar="NAME", help="who makes the entry")
        each.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print the result as JSON")


def review_command(chosen: argparse.Namespace) -> Answer:
    """Show the log, or add one entry. Raises `InputError` for an entry that is not allowed."""
    run = find_run(chosen.run_directory)
    findings = load_findings(run)
    if chosen.act is None:
        if chosen.by:
            raise InputError("--by needs an entry, such as `comment --why TEXT`; without one, the log is only shown")
        return _shown(run, load_review(run), findings)
    entry = added(run, chosen.by or "", ACTS[chosen.act], getattr(chosen, "finding", None) or "", findings, chosen)
    now = standing(load_review(run))
    lines = [_line(entry), f"version {now.version}, {now.status}"]
    lines.append(f"`python -m core report {run.handle}` prints this in the report")
    return {"text": "\n".join(lines), "data": _data(run, load_review(run), findings)}, 0


def added(
    run: Run, by: str, act: _Act, finding: str, findings: tuple[Finding, ...], chosen: argparse.Namespace
) -> Entry:
    """The new entry. Raises `InputError` for a missing or somebody else's name and an unknown finding."""
    actor = actor_here(by)
    if not actor.name:
        raise InputError('an entry needs the name of its author; give --by "NAME"')
    if finding:
        status = {one.id: one.status for one in findings}.get(finding)
        if status is None:
            raise InputError(
                f"there is no finding {brief(finding, 80)!r} in {run.handle}; `python -m core review {run.handle}` "
                "lists them"
            )
        if act.kind in FINDING_KINDS and status != "finding":
            raise InputError(
                f"{finding} is not a finding but a check that {_CHECK[status]}; it can only be commented on"
            )
    if act.kind in REASONS and not chosen.why.strip():
        raise InputError(f"{act.kind}: a reason is needed (--why)")
    return add_entry(run, actor, act.kind, finding, getattr(chosen, "value", ""), chosen.why)


_CHECK = {"passed": "passed", "cannot_conclude": "could not be concluded"}


def _shown(run: Run, review: Review, findings: tuple[Finding, ...]) -> Answer:
    now = standing(review)
    count = plural(len(review.entries), "entry", "entries")
    lines = [f"version {now.version}, {now.status}; {count} in the review log"]
    lines += [_line(entry) for entry in review.entries]
    present = [finding for finding in findings if finding.status == "finding"]
    lines += ["", "findings:"] if present else []
    for finding in present:
        state = finding_review(review, finding.id)
        told = f"{decision_text(state)}; owner: {said(state.owner)}; due: {said(state.due)}"
        lines.append(f"{finding.id}  {SEVERITY_TITLES[finding.severity]}  {finding.title}  ({told})")
    return {"text": "\n".join(lines), "data": _data(run, review, findings)}, 0


def _line(entry: Entry) -> str:
    parts = [moment(entry.at), entry.by, entry.kind, entry.finding, entry.value]
    verified = "" if entry.verified else " (not verified)"
    parts[1] += verified
    line = "  ".join(part for part in parts if part)
    return f"{line}: {entry.why}" if entry.why else line


def _data(run: Run, review: Review, findings: tuple[Finding, ...]) -> dict[str, Any]:
    now = standing(review)
    each = []
    for finding in findings:
        state = finding_review(review, finding.id)
        if finding.status == "finding" or state.comments:
            each.append(
                {
                    "id": finding.id,
                    "status": finding.status,
                    "decision": state.decision if finding.status == "finding" else None,
                    "owner": state.owner.value if state.owner else None,
                    "due": state.due.value if state.due else None,
                    "response": response_text(state) if state.response else None,
                    "action": state.action.value if state.action else None,
                    "comments": [entry.why for entry in state.comments],
                }
            )
    return {
        "run": str(run.folder),
        "version": now.version,
        "status": now.status,
        "head": review.head,
        "entries": [entry.model_dump(mode="json") for entry in review.entries],
        "findings": each,
    }
