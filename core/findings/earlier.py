"""An earlier run of the same plan: which findings are new, closed or changed since. No torch.

Both runs are judged by the rules and thresholds of today, so that a change of a rule is not taken for one of the model.
The findings of the earlier run are kept in `earlier.json` of the later one, whose report then needs nothing else.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from core.errors import InputError, LoupeError, Refused, RunError, first_line
from core.findings.judgement import apply_rules
from core.rules import Context, Finding, Number
from core.runs import Run, check_before_rewriting, open_run
from core.runs.files import base_name
from core.runs.manifest import write_json
from core.runs.parts import Name, Part
from core.runs.plan import Digest, first_problem
from core.runs.succession import predecessor_of
from core.sandbox.files import read_file
from core.storage import without_folders

EARLIER = "earlier.json"
MOST_BYTES = 64 * 2**20
# Parts of a plan without which findings are about something else.
_SAME = frozenset({"dataset", "images", "model"})
Change = Literal["new", "closed", "inconclusive now", "not judged now", "changed", "decided", "unchanged"]
CHANGES: dict[Change, str] = {
    "new": "new",
    "closed": "closed: the check passes now",
    "inconclusive now": "no longer shown: inconclusive now",
    "not judged now": "no longer judged",
    "changed": "changed",
    "decided": "decision changed",
    "unchanged": "unchanged",
}  # messages
_STATUS = {"finding": "finding", "passed": "passed", "cannot_conclude": "inconclusive"}  # messages
NOT_JUDGED = "not judged"  # messages
_NOT_BESIDE = "it does not lie beside this run"  # messages


class Earlier(Part):
    """The earlier run: its id, when it ended, the SHA-256 of its weights and of its code, and its findings."""

    version: Literal[1] = 1
    run: Name
    ended: Name = ""
    plan_sha256: Digest
    differs: tuple[Name, ...] = Field((), max_length=40, description="parts of its plan that this plan changed")
    model_sha256: Annotated[str, Field(max_length=64)] = ""
    code_sha256: Annotated[str, Field(max_length=64)] = ""
    thresholds: Name = ""
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Changed:
    """One finding in both runs. A state is "finding", "passed", "inconclusive" or "not judged".

    before, now: of the evidence that both have under one name, the first number that differs, otherwise the first;
        without such a name the first of each. before_decision, now_decision: of the review, where the two differ; a
        finding that only they change is "decided".
    """

    id: str
    title: str
    change: Change
    before_state: str
    now_state: str
    before: Number | None
    now: Number | None
    before_severity: str = ""
    now_severity: str = ""
    before_decision: str = ""
    now_decision: str = ""


def keep_earlier(run: Run, earlier: Run, *, edited: bool = False) -> Earlier:
    """Judge an earlier run again and keep its findings with `run`. `edited`: its plan may be another one, as long as
    model and images are the same.

    Raises `InputError` where it is the same run or has another plan, `RunError` where it was changed after it was
    sealed.
    """
    if run.folder.resolve() == earlier.folder.resolve():
        raise InputError("--earlier names the run itself; name an earlier run of the same plan")
    differs = changed_parts(run, earlier)
    if differs and (not edited or _SAME & set(differs)):
        raise InputError(
            f"{earlier.handle} has another plan than {run.handle} (different {', '.join(differs)}); findings are "
            "compared over time for the same plan only, and `compare` sets runs of different models side by side"
        )
    check_before_rewriting(earlier)
    judged = Context(earlier)
    manifest = earlier.manifest
    kept = Earlier(
        run=earlier.id,
        ended=str(manifest.get("ended") or ""),
        plan_sha256=earlier.plan.digest,
        differs=differs,
        model_sha256=str(manifest.get("model", {}).get("digest") or ""),
        code_sha256=str(manifest.get("environment", {}).get("code_sha256") or ""),
        thresholds=judged.thresholds.version,
        findings=apply_rules(judged),
    )
    write_json(run.folder / EARLIER, kept.model_dump(mode="json"))
    return kept


def load_earlier(run: Run) -> Earlier | None:
    """What is kept of an earlier run; None if there is none. Raises `RunError` in one line if it is damaged."""
    path = run.folder / EARLIER
    if not os.path.lexists(path):
        return None
    try:
        return parse_earlier(read_file(path, MOST_BYTES, links=False), run.plan.digest)
    except Refused as refused:
        raise RunError(f"{EARLIER} {refused}; name the earlier run again (--earlier)") from refused


def parse_earlier(data: bytes, plan: str) -> Earlier:
    """The same from the bytes of its file, for the plan with this digest. Raises `RunError`."""
    try:
        earlier = Earlier.model_validate(json.loads(data))
    except ValidationError as error:
        raise RunError(
            f"{EARLIER} is damaged ({first_problem(error)}); name the earlier run again (--earlier)"
        ) from error
    except (ValueError, RecursionError) as error:
        raise RunError(f"{EARLIER} is not valid JSON; name the earlier run again (--earlier)") from error
    if (earlier.plan_sha256 != plan) != bool(earlier.differs):
        raise RunError(f"{EARLIER} is of another plan; name an earlier run of this plan (--earlier)")
    return earlier


def changes(earlier: Sequence[Finding], now: Sequence[Finding]) -> tuple[Changed, ...]:
    """Every check that is a finding in either run, in the order of today's findings, then those of the earlier run."""
    before = {finding.id: finding for finding in earlier}
    present = {finding.id: finding for finding in now}
    ids = [*present, *(id for id in before if id not in present)]
    pairs = [(before.get(id), present.get(id)) for id in ids]
    return tuple(_changed(old, new) for old, new in pairs if _is_finding(old) or _is_finding(new))


def _is_finding(one: Finding | None) -> bool:
    return one is not None and one.status == "finding"


def _changed(old: Finding | None, new: Finding | None) -> Changed:
    either = new or old
    assert either is not None
    first, second = _estimates(old, new)
    return Changed(
        id=either.id,
        title=either.title if new is None or new.status == "finding" or old is None else old.title,
        change=_change(old, new, (first, second)),
        before_state=_STATUS[old.status] if old else NOT_JUDGED,
        now_state=_STATUS[new.status] if new else NOT_JUDGED,
        before=first,
        now=second,
        before_severity=old.severity if old and old.status == "finding" else "",
        now_severity=new.severity if new and new.status == "finding" else "",
    )


def _change(old: Finding | None, new: Finding | None, numbers: tuple[Number | None, Number | None]) -> Change:
    if old is None or old.status != "finding":
        return "new"
    if new is None:
        return "not judged now"
    if new.status != "finding":
        return "closed" if new.status == "passed" else "inconclusive now"
    return "unchanged" if old.severity == new.severity and numbers[0] == numbers[1] else "changed"


def _estimates(old: Finding | None, new: Finding | None) -> tuple[Number | None, Number | None]:
    theirs = {number.name: number for number in (old.evidence if old else ())}
    ours = new.evidence if new else ()
    common = [(theirs[number.name], number) for number in ours if number.name in theirs]
    for pair in common:
        if pair[0] != pair[1]:
            return pair
    return common[0] if common else (next(iter(theirs.values()), None), next(iter(ours), None))


def changed_parts(run: Run, earlier: Run) -> tuple[str, ...]:
    """Which parts of two plans differ, in words; empty for the same plan."""
    if run.plan.digest == earlier.plan.digest:
        return ()
    mine, theirs = (one.plan.public().model_dump(mode="json", exclude={"declared"}) for one in (run, earlier))
    return tuple(name.replace("_", " ") for name in mine if mine[name] != theirs[name]) or ("plan",)


def keep_predecessor(run: Run) -> None:
    """Keep the findings of the run from which this one was planned, where it lies beside it, unless an earlier run is
    kept already. Where they cannot be kept, the manifest says why (`predecessor_problem`).
    """
    name = predecessor_of(run)
    if not name or os.path.lexists(run.folder / EARLIER):
        return
    folder, problem = run.folder.parent / base_name(name), ""
    if (folder / "plan.json").is_file():
        try:
            keep_earlier(run, open_run(folder), edited=True)
        except LoupeError as error:
            problem = without_folders(first_line(error))
    else:
        problem = _NOT_BESIDE
    if problem != run.manifest.get("predecessor_problem", ""):
        run.update_manifest(predecessor_problem=problem)
