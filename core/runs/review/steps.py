"""What the entries of a review log add up to: version and status of the report, and which step may come next.

A report is a draft, then reviewed, approved and at last superseded; a new version begins where a superseded report is
prepared again. Whoever prepared a version neither reviews nor approves it. No torch.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from core.characters import folded
from core.runs.review.entry import Entry, Review

Status = Literal["draft", "reviewed", "approved", "superseded"]
Decision = Literal["open", "accepted", "dismissed"]
# What an approval covers: it cannot be changed under it.
COVERED = ("accept", "dismiss", "addressee", "assurance", "independence", "validity")


@dataclass(frozen=True)
class Standing:
    """Where the report stands: the number of its version, its status, and the entries by which it came there.

    preparers: the one declared in the plan, who started the audit, and who entered that they prepared this version.
    """

    version: int = 1
    status: Status = "draft"
    preparers: tuple[str, ...] = ()
    prepared: Entry | None = None
    reviewed: Entry | None = None
    approved: Entry | None = None
    superseded: Entry | None = None
    started: tuple[str, ...] = ()

    @property
    def judged(self) -> str:
        """The SHA-256 of the findings that were reviewed or approved last; empty for a draft."""
        last = self.approved or self.reviewed
        return last.findings_sha256 if last is not None else ""


@dataclass(frozen=True)
class FindingReview:
    """What was decided and entered about one finding: the last entry of each kind, and all comments."""

    decided: Entry | None
    owner: Entry | None
    due: Entry | None
    response: Entry | None
    action: Entry | None
    comments: tuple[Entry, ...]

    @property
    def decision(self) -> Decision:
        """Whether the finding was accepted or dismissed; open where neither was."""
        return "open" if self.decided is None else "accepted" if self.decided.kind == "accept" else "dismissed"

    @property
    def empty(self) -> bool:
        """Whether nothing but comments was entered."""
        return not any((self.decided, self.owner, self.due, self.response, self.action))


def standing(review: Review) -> Standing:
    """Where the report stands after all entries."""
    now = start = Standing(preparers=(review.preparer,) if review.preparer else ())
    for entry in review.entries:
        now = _after(now, entry, start)
    return now


def finding_review(review: Review, finding: str) -> FindingReview:
    """What the log says of one finding."""
    about = [entry for entry in review.entries if entry.finding == finding]
    last = {entry.kind: entry for entry in about}
    decided = [entry for entry in about if entry.kind in ("accept", "dismiss")]
    return FindingReview(
        decided=decided[-1] if decided else None,
        owner=last.get("owner"),
        due=last.get("due"),
        response=last.get("response"),
        action=last.get("action"),
        comments=tuple(entry for entry in about if entry.kind == "comment"),
    )


def refusal(review: Review, entry: Entry) -> str:
    """Why an entry may not come next, in one line; empty if it may."""
    return _refusal(standing(review), entry)


def illegal(review: Review, entries: Iterable[Entry]) -> str:
    """Why entries may not follow a log, in one line that names the first; empty if they may."""
    start = now = standing(review)
    for entry in entries:
        problem = _refusal(now, entry)
        if problem:
            return f"entry {entry.sequence} ({entry.kind}) is not allowed there: {problem}"
        now = _after(now, entry, start)
    return ""


def _after(now: Standing, entry: Entry, start: Standing) -> Standing:
    match entry.kind:
        case "started":
            # Whoever started the audit prepared every version of its report.
            return replace(now, preparers=(*now.preparers, entry.by), started=(*now.started, entry.by))
        case "prepared":
            new = now.status == "superseded"
            before = (*start.preparers, *now.started) if new else now.preparers
            return Standing(now.version + new, "draft", (*before, entry.by), prepared=entry, started=now.started)
        case "reviewed":
            return replace(now, status="reviewed", reviewed=entry)
        case "approved":
            return replace(now, status="approved", approved=entry)
        case "superseded":
            return replace(now, status="superseded", superseded=entry)
    return now


def _refusal(now: Standing, entry: Entry) -> str:
    report = f"version {now.version} of the report is {'a draft' if now.status == 'draft' else now.status}"
    kind = entry.kind
    if kind in COVERED and now.status in ("approved", "superseded"):
        return f"{report}; prepare a new version before this is changed" + (
            "" if now.status == "superseded" else " (supersede this one first)"
        )
    if kind == "started" and (now.prepared or now.status != "draft"):
        return f"{report} and has been prepared; who started the audit is entered before"
    if kind == "prepared" and now.status in ("reviewed", "approved"):
        after = "it can only be reviewed again or approved" if now.status == "reviewed" else "supersede it first"
        return f"{report}; {after}"
    if kind == "reviewed":
        if now.status in ("approved", "superseded"):
            return f"{report}; only a draft can be reviewed"
        return _four_eyes(now, entry, "review")
    if kind == "approved":
        if now.status == "approved":
            return f"version {now.version} of the report is already approved"
        if now.status != "reviewed":
            return f"{report}; only a reviewed report can be approved"
        if now.reviewed is not None and now.reviewed.findings_sha256 != entry.findings_sha256:
            return f"{report}, but its findings have changed since; review it again first"
        return _four_eyes(now, entry, "approve")
    if kind == "superseded" and now.status != "approved":
        return f"{report}; only an approved report can be superseded"
    return ""


def _four_eyes(now: Standing, entry: Entry, act: str) -> str:
    if folded(entry.by) in map(folded, now.preparers):
        return f"{entry.by} prepared this report and cannot {act} it; somebody else must"
    return ""
