"""What an assurance report states of itself, from the review log: status, addressee, level, duties, actions, changes.

Nothing here is assumed: what nobody entered is printed as not declared.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from core.content.context import ReportContext
from core.content.parts import Fact, Section
from core.content.tables import ColumnSpec, TableSpec
from core.content.words import moment, plural
from core.findings import Finding
from core.languages import say
from core.reporting.changes import DECISIONS, since_earlier
from core.reporting.evidence import findings_json
from core.runs.review import Entry, FindingReview, Review, Standing, finding_review, load_review, standing

MISSING = "not declared"  # messages
NOBODY = "\u2014"
LEVELS = {
    "none": "None: results are reported, and no conclusion is given on which somebody should rely.",
    "limited": "Limited: it is stated whether anything came to attention that contradicts the conclusions. Less was "
    "tested than for reasonable assurance, and the risk of an error is higher.",
    "reasonable": "Reasonable: the conclusions are stated as such. The risk of an error is reduced to an acceptably "
    "low level, but not to zero.",
}  # messages
PROVIDER = (
    "The provider of the model is responsible for the model, for its weights, for the images and texts that were "
    "handed over, and for what is marked as declared."
)  # messages
AUDITOR = (
    "Those who prepare, review and approve this report are responsible for the choice of images, texts, methods and "
    "thresholds, for the entries of the review log, and for the conclusions that they draw. The software computes and "
    "gives no assurance."
)  # messages
INHERENT = (
    "A flaw that no check addresses, that concerns few images, or that is smaller than the detection limits can remain "
    "undetected; a check can also report a flaw that does not exist. The chapter on limits lists what else applies."
)  # messages
# Which kinds of entry the change log has. What was entered about follow-up is in the table of actions.
_LOGGED = {  # messages
    "started": "Audit started", "prepared": "Prepared", "reviewed": "Reviewed", "approved": "Approved",
    "superseded": "Superseded",
    "addressee": "Addressee", "assurance": "Assurance level", "independence": "Independence",
    "validity": "Valid until", "distribution": "Distributed to", "accept": "Accepted", "dismiss": "Dismissed",
}  # fmt: skip


class _Followed(NamedTuple):
    title: str
    review: FindingReview


def _date(entry: Entry) -> str:
    return entry.at[:10]


def said(entry: Entry | None) -> str:
    """The value of an entry, or that nothing was declared."""
    return entry.value if entry is not None else say(MISSING)


def decision_text(review: FindingReview) -> str:
    """Whether a finding was accepted or dismissed, by whom, when and why, and how far its action is."""
    decided = review.decided
    told: str = say(DECISIONS.get(review.decision, review.decision))
    if decided is not None:
        told = say("{decision} by {who} on {day}", decision=told, who=decided.by, day=_date(decided))
        told = f"{told}: {decided.why}" if decided.why else told
    return (
        told
        if review.action is None
        else say("{decision}; action: {action}", decision=told, action=action_text(review))
    )


def action_text(review: FindingReview) -> str:
    """How far the action on a finding is, or that nothing was declared."""
    if review.action is None:
        return say(MISSING)
    return say(ACTIONS.get(review.action.value, review.action.value))


def response_text(review: FindingReview) -> str:
    """The response to a finding with its author."""
    return say(MISSING) if review.response is None else f"{review.response.why} ({review.response.by})"


# How far the action on a finding is, as it is printed.
ACTIONS_TITLE = "Corrective actions"  # messages
ACTIONS = {"open": "open", "in progress": "in progress", "done": "done", "verified": "verified"}  # messages
# The status of a report, as it is printed.
STATUSES = {
    "draft": "draft",
    "reviewed": "reviewed",
    "approved": "approved",
    "superseded": "superseded",
}  # messages
ACTIONS_TABLE = TableSpec(
    ColumnSpec("Finding", "title", share=28),
    ColumnSpec("Owner", lambda row: said(row.review.owner), share=14),
    ColumnSpec("Due", lambda row: said(row.review.due), share=11),
    ColumnSpec("Response", lambda row: response_text(row.review), share=23),
    ColumnSpec("Status", lambda row: decision_text(row.review), share=24),
)
CHANGE_LOG = TableSpec(
    ColumnSpec("Time", lambda entry: moment(entry.at), share=20),
    ColumnSpec("By", "by", share=18),
    ColumnSpec("Entry", lambda entry: _entered(entry), share=30),
    ColumnSpec("Reason", lambda entry: entry.why or NOBODY, share=32),
)


def status_text(context: ReportContext) -> str:
    """Version and status in words, and that the findings have changed since they were reviewed where they have."""
    now = standing(load_review(context.run))
    return f"{now.version}, {say(STATUSES[now.status])}{_outdated(now, context.findings)}"


def status_line(context: ReportContext) -> str:
    """Version, status, addressee and validity in one line."""
    review = load_review(context.run)
    addressee, until = said(review.latest("addressee")), said(review.latest("validity"))
    return say(
        "{status}. Addressee: {addressee}. Valid until: {until}.",
        status=status_text(context),
        addressee=addressee,
        until=until,
    )


def signatories(context: ReportContext) -> tuple[Fact, ...]:
    """Who prepared, reviewed and approved this version, by the review log, otherwise as the plan declares it."""
    declared, now = context.run.plan.declared, standing(load_review(context.run))
    reviewer = (
        say("{name} (declared; no entry in the review log)", name=declared.reviewer) if declared.reviewer else NOBODY
    )
    return (
        Fact("Prepared by", signed(now.prepared) or declared.preparer or say(MISSING), signs=True),
        Fact("Reviewed by", signed(now.reviewed) or reviewer, signs=True),
        Fact("Approved by", signed(now.approved) or NOBODY, signs=True),
    )


def assurance(context: ReportContext) -> tuple[Section, ...]:
    """What the report states of itself, the corrective actions, what changed since an earlier run, the change log."""
    review = load_review(context.run)
    sections = [
        Section("Engagement", _engagement(context, review), (_identities(review),)),
        _actions(review, context.findings),
        *since_earlier(context),
    ]
    logged = [entry for entry in review.entries if entry.kind in _LOGGED]
    if logged:
        whole = plural(len(review.entries), "entry", "entries")
        more = say(
            "The review log has {entries}; the file review.jsonl of the evidence has all of them.", entries=whole
        )
        table = CHANGE_LOG.table(say("Decisions and declarations"), logged, more)
        sections.append(Section("Change log", tables=(table,)))
    return tuple(sections)


def _engagement(context: ReportContext, review: Review) -> tuple[Fact, ...]:
    level = review.latest("assurance")
    sent = dict.fromkeys(entry.value for entry in review.entries if entry.kind == "distribution")
    return (
        Fact("Version and status", status_text(context)),
        Fact("Addressee", said(review.latest("addressee"))),
        Fact("Assurance level", say(LEVELS[level.value] if level else MISSING)),
        Fact("Independence", _by(review.latest("independence"))),
        Fact("Valid until", said(review.latest("validity"))),
        Fact("Distribution", "; ".join(sent) or say(MISSING)),
        Fact("Responsibilities of the provider", say(PROVIDER)),
        Fact("Responsibilities of the auditor", say(AUDITOR)),
        Fact(
            "Criteria",
            say(
                "{rules}, judged by version {version} of the thresholds",
                rules=plural(len({finding.rule for finding in context.findings}), "rule"),
                version=str(context.thresholds.version),
            ),
        ),
        Fact("Inherent limits", say(INHERENT)),
    )


def _actions(review: Review, findings: Sequence[Finding]) -> Section:
    present = [finding for finding in findings if finding.status == "finding"]
    titles = {finding.id: finding.title for finding in present}
    # What was entered about a finding that is none today is not lost.
    gone = dict.fromkeys(entry.finding for entry in review.entries if entry.finding and entry.finding not in titles)
    rows = [_Followed(title, finding_review(review, id)) for id, title in titles.items()]
    rows += [_Followed(say("{id} (not a finding of this report)", id=id), finding_review(review, id)) for id in gone]
    followed = [row for row in rows if not row.review.empty]
    left = sum(row.review.empty for row in rows[: len(present)])
    if not present and not followed:
        return Section(ACTIONS_TITLE, sentences=(say("There is no finding."),))
    if left:
        sentence = (
            say("No decision, owner, due date or response is recorded for any finding.")
            if left == len(present)
            else say(
                "No decision, owner, due date or response is recorded for {count} of {findings}.",
                count=left,
                findings=plural(len(present), "finding"),
            )
        )
    else:
        sentence = say("A decision or an action is recorded for every finding.")
    if any(row.review.decision == "dismissed" for row in followed):
        sentence += say(" A dismissed finding stays in the register and counts as before; the reason is stated.")
    caption = say("Findings with a recorded decision or action")
    tables = (ACTIONS_TABLE.table(caption, followed),) if followed else ()
    return Section(ACTIONS_TITLE, sentences=(sentence,) if left or tables else (), tables=tables)


def dismissed(findings: Sequence[Finding], review: Review) -> list[Finding]:
    """The findings that were dismissed."""
    return [finding for finding in findings if finding_review(review, finding.id).decision == "dismissed"]


def dismissed_note(review: Review, findings: Sequence[Finding]) -> str:
    """Which findings of a table were dismissed, in one sentence; empty if none was."""
    names = [finding.id for finding in dismissed(findings, review)]
    told = "Dismissed in the review, for the reason stated with each finding: {names}."  # messages
    return say(told, names=", ".join(names)) if names else ""


def comments_text(review: FindingReview) -> str:
    """The comments on a finding, each with author and date."""
    return " ".join(f"{entry.by}, {_date(entry)}: {entry.why}" for entry in review.comments)


def _identities(review: Review) -> str:
    if not review.entries:
        return say("The review log has no entry.")
    unverified = sum(not entry.verified for entry in review.entries)
    whole = plural(len(review.entries), "entry", "entries")
    if not unverified:
        return say("The identity behind each of the {entries} of the review log was verified.", entries=whole)
    return say(
        "Names are as typed: the identity was not verified for {count} of {entries} of the review log.",
        count=unverified,
        entries=whole,
    )


def _entered(entry: Entry) -> str:
    title = say(_LOGGED[entry.kind])
    about = entry.finding or entry.value
    return f"{title}: {about}" if about else title


def _by(entry: Entry | None) -> str:
    if entry is None:
        return say(MISSING)
    return say("{what} (declared by {who} on {day})", what=entry.value, who=entry.by, day=_date(entry))


def signed(entry: Entry | None) -> str:
    """Who made an entry and when; empty without one."""
    return "" if entry is None else f"{entry.by}, {_date(entry)}"


def _outdated(now: Standing, findings: Sequence[Finding]) -> str:
    if not now.judged or now.judged == hashlib.sha256(findings_json(findings)).hexdigest():
        return ""
    if now.approved:
        return say(" (other findings than those of this report were approved)")
    return say(" (other findings than those of this report were reviewed)")
