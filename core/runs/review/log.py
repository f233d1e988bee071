"""The file of the review log: read whole and checked, written whole under the lock of its run. No torch."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from core.drafts import write_whole
from core.errors import InputError, LoupeError, Refused, RunError, first_line
from core.processes import locked
from core.runs.access import Actor, Role, barrier, check, roles
from core.runs.opened import READ_ONLY, check_changeable, is_opened
from core.runs.plan import first_problem
from core.runs.results import file_sha256
from core.runs.review.entry import JUDGING, MOST_ENTRIES, Entry, Kind, Review, StepKind
from core.runs.review.steps import illegal, refusal
from core.runs.run import Run
from core.sandbox.files import read_file

REVIEW = "review.jsonl"
FINDINGS = "findings.json"
MOST_BYTES = 64 * 2**20


def load_review(run: Run) -> Review:
    """The log of a run, empty if nothing was entered. Raises `RunError` in one line if it was changed."""
    return run.once(_load)


def _load(run: Run) -> Review:
    path = run.folder / REVIEW
    data = b""
    if os.path.lexists(path):
        try:
            data = read_file(path, MOST_BYTES, links=False)
        except Refused as refused:
            raise RunError(f"{REVIEW} {refused}; restore it") from refused
    review = parse_review(data, run.plan.digest, run.plan.declared.preparer)
    problem = cut_off(review, run.manifest.get("review"))
    if problem:
        raise RunError(problem)
    return review


def parse_review(data: bytes, plan: str, preparer: str = "") -> Review:
    """The log in the bytes of its file. Raises `RunError` in one line that names the first line that is wrong."""
    review = Review(plan, preparer)
    entries: list[Entry] = []
    lines = data.splitlines(keepends=True)
    if len(lines) > MOST_ENTRIES:
        raise RunError(f"{REVIEW} has more than {MOST_ENTRIES:,} entries")
    for number, line in enumerate(lines, start=1):
        where = f"{REVIEW}, line {number}"
        try:
            entry = Entry.model_validate(json.loads(line))
        except ValidationError as error:
            raise RunError(f"{where} is not an entry of a review log ({first_problem(error)}); restore it") from error
        except (ValueError, RecursionError) as error:
            raise RunError(f"{where} is not valid JSON; restore the log") from error
        if entry.line != line or entry.content_sha256 != entry.sha256:
            raise RunError(f"{where} was changed after it was written; restore the log")
        if entry.sequence != number or entry.previous != (entries[-1].sha256 if entries else plan):
            raise RunError(
                f"{where} does not follow {'the line before it' if entries else 'from the plan of this run'}: a line "
                "was removed, added or moved; restore the log"
            )
        if entries and entry.at < entries[-1].at:
            raise RunError(f"{where} is dated before the line above it; restore the log")
        entries.append(entry)
    whole = Review(plan, preparer, tuple(entries))
    problem = illegal(review, whole.entries)
    if problem:
        raise RunError(f"{REVIEW}: {problem}; restore the log")
    return whole


def cut_off(review: Review, mark: Any) -> str:
    """What is missing of a log of which the manifest says where it ended; empty if nothing is, or nothing is known."""
    if mark is None:
        return ""
    try:
        count, head = int(mark["entries"]), str(mark["head"])
    except (TypeError, KeyError, ValueError):
        return "manifest.json: review is damaged"
    if len(review.entries) < count:
        have = len(review.entries)
        return f"{REVIEW} has {have} of the {count} entries that it had when the report was made; restore it"
    if count and review.entries[count - 1].sha256 != head:
        return f"{REVIEW} is not the log that the report was made with; restore it"
    return ""


def problems(run: Run) -> list[str]:
    """What is wrong with the log of a run, at most one line; empty if nothing is, or if there is no log."""
    try:
        _load(run)
    except LoupeError as error:
        return [first_line(error)]
    return []


def note_review(run: Run) -> None:
    """Write into the manifest where the log ends, so that a shorter one is seen; nothing where there is no log."""
    review = load_review(run)
    if review.entries and run.manifest.get("review") != review.mark():
        run.update_manifest(review=review.mark())


def findings_sha256(run: Run) -> str:
    """The SHA-256 of the findings as they stand; empty if the run has not been judged."""
    path = run.folder / FINDINGS
    return file_sha256(path) if path.is_file() else ""


def add_entry(run: Run, by: str | Actor, kind: Kind, finding: str = "", value: str = "", why: str = "") -> Entry:
    """Add one entry, completely or not at all, and return it. A name without an `Actor` is one that nobody checked.

    Raises `InputError` in one line for a step that is not allowed now, or not to this person, for a missing reason or
    value and for a finding that the run does not have; `RunError` if the log was changed.
    """
    actor = by if isinstance(by, Actor) else Actor(by)
    check_changeable(run)
    check(actor, *needed_for(kind))
    with locked(run.folder):
        review = _load(run)
        if len(review.entries) >= MOST_ENTRIES:
            raise InputError(f"the review log is full ({MOST_ENTRIES:,} entries)")
        entry = _next(run, review, actor, kind, finding, value, why)
        problem = refusal(review, entry)
        if problem:
            raise InputError(problem)
        data = b"".join(one.line for one in (*review.entries, entry))
        if len(data) > MOST_BYTES:
            raise InputError("the review log is full")
        write_whole(run.folder / REVIEW, data)
    return entry


def record_start(run: Run, actor: Actor) -> None:
    """Begin the log of a new run with who asked for it, where the operator has given people roles."""
    if roles() is not None and actor.name and not _load(run).entries:
        add_entry(run, actor, "started")


def obstacle(run: Run, review: Review, actor: Actor, kind: StepKind) -> str:
    """Why a step of the report may not be entered now, or not by this person, in one line; empty if it may.

    Nothing is written. Raises `InputError` if the file of roles is wrong.
    """
    problem = READ_ONLY if is_opened(run) else barrier(actor, *needed_for(kind))
    if problem:
        return problem
    try:
        # A name and a reason are asked for when the entry is made.
        return refusal(review, _next(run, review, actor if actor.name else Actor("?"), kind, why="?"))
    except InputError as error:
        return first_line(error)


def needed_for(kind: Kind) -> tuple[Role, str]:
    """The role that an entry of a kind takes, and what it does in words."""
    if kind in ("approved", "superseded"):
        return "approver", "approve a report or withdraw it"
    # Who starts an audit is recorded, whoever it is.
    return ("none" if kind == "started" else "reviewer"), "add to the review log"


def _next(
    run: Run, review: Review, actor: Actor, kind: Kind, finding: str = "", value: str = "", why: str = ""
) -> Entry:
    """The entry that would come next. Raises `InputError` for a missing reason, value or name."""
    name = " ".join(actor.name.split())
    if not name:
        raise InputError("an entry needs the name of its author")
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    parts: dict[str, Any] = {
        "sequence": len(review.entries) + 1,
        "previous": review.head,
        # A clock that was set back must not break the order.
        "at": max(now, review.entries[-1].at) if review.entries else now,
        "by": name,
        "verified": actor.verified,
        "kind": kind,
        "finding": finding,
        "value": value.strip(),
        "why": why.strip(),
        "findings_sha256": findings_sha256(run) if kind in JUDGING else "",
    }
    try:
        draft = Entry.model_validate({**parts, "sha256": "0" * 64})
    except ValidationError as error:
        raise InputError(f"{kind}: {first_problem(error)}") from error
    return draft.model_copy(update={"sha256": draft.content_sha256})
