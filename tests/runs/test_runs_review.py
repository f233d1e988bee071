"""The review log: what may be entered, and that no byte of it can be changed, removed or moved without being seen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InputError, RunError
from core.runs import Run, changed_files
from core.runs.review import (
    REVIEW,
    Entry,
    Review,
    add_entry,
    cut_off,
    finding_review,
    load_review,
    note_review,
    parse_review,
    problems,
    standing,
)
from core.runs.review.steps import refusal
from tests.support.made_run import made_run

PLAN = hashlib.sha256(b"plan").hexdigest()
FINDINGS = hashlib.sha256(b"findings").hexdigest()
NAMES = ("Ada", "Ben", "Cleo")
STEPS = ("prepared", "reviewed", "approved", "superseded")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = made_run(tmp_path_factory.mktemp("review") / "run", images=2, methods=("raw", "rise"))
    (run.folder / "findings.json").write_bytes(b"[]\n")
    return run


@pytest.fixture(autouse=True)
def empty(run: Run) -> None:
    (run.folder / REVIEW).unlink(missing_ok=True)
    run.update_manifest(review=None)


def continued(review: Review, by: str, kind: Any, finding: str = "", value: str = "", why: str = "") -> Review:
    """The log with one more entry, made without a run; the same log where the entry is refused."""
    parts = {
        "sequence": len(review.entries) + 1,
        "previous": review.head,
        "at": "2027-01-01T00:00:00Z",
        "by": by,
        "kind": kind,
        "finding": finding,
        "value": value,
        "why": why,
        "findings_sha256": FINDINGS if kind in STEPS[:3] else "",
        "sha256": "0" * 64,
    }
    draft = Entry.model_validate(parts)
    entry = draft.model_copy(update={"sha256": draft.content_sha256})
    if refusal(review, entry):
        return review
    return Review(review.plan, review.preparer, (*review.entries, entry))


text = st.text(min_size=1, max_size=20).filter(lambda words: bool(words.strip()) and words.isprintable())
entries = st.one_of(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(STEPS), st.just(""), st.just(""), text),
    st.tuples(st.sampled_from(NAMES), st.just("comment"), st.sampled_from(("", "a.b", "c.d")), st.just(""), text),
    st.tuples(st.sampled_from(NAMES), st.sampled_from(("accept", "dismiss")), st.just("a.b"), st.just(""), text),
    st.tuples(st.sampled_from(NAMES), st.just("owner"), st.just("a.b"), text, st.just("")),
    st.tuples(st.sampled_from(NAMES), st.just("due"), st.just("c.d"), st.just("2027-03-31"), st.just("")),
    st.tuples(st.sampled_from(NAMES), st.just("assurance"), st.just(""), st.sampled_from(("none", "limited")), text),
)
logs = st.lists(entries, max_size=12)


def made(steps: list[tuple[str, str, str, str, str]]) -> Review:
    review = Review(PLAN, "Cleo")
    for step in steps:
        review = continued(review, *step)
    return review


def bytes_of(review: Review) -> bytes:
    return b"".join(entry.line for entry in review.entries)


@settings(max_examples=60, deadline=None)
@given(logs)
def test_any_sequence_of_legal_entries_makes_the_round_trip(steps: list[tuple[str, str, str, str, str]]) -> None:
    review = made(steps)
    again = parse_review(bytes_of(review), PLAN, "Cleo")
    assert again == review and standing(again) == standing(review)
    assert cut_off(again, review.mark()) == ""


@settings(max_examples=120, deadline=None)
@given(logs.filter(bool), st.data())
def test_any_changed_byte_is_seen(steps: list[tuple[str, str, str, str, str]], data: st.DataObject) -> None:
    whole = bytes_of(made([("Ada", "comment", "", "", "x"), *steps]))
    at = data.draw(st.integers(0, len(whole) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != whole[at]))
    with pytest.raises(RunError) as told:
        parse_review(whole[:at] + bytes([other]) + whole[at + 1 :], PLAN, "Cleo")
    assert "\n" not in str(told.value) and "restore" in str(told.value)


@settings(max_examples=80, deadline=None)
@given(logs, st.data())
def test_a_line_removed_doubled_or_swapped_is_seen(
    steps: list[tuple[str, str, str, str, str]], data: st.DataObject
) -> None:
    review = made([("Ada", "comment", "", "", "x"), ("Ben", "comment", "", "", "y"), *steps])
    lines = [entry.line for entry in review.entries]
    first = data.draw(st.integers(0, len(lines) - 2))
    second = data.draw(st.integers(first + 1, len(lines) - 1))
    swapped = list(lines)
    swapped[first], swapped[second] = lines[second], lines[first]
    for broken in (lines[:first] + lines[first + 1 :], [*lines, lines[second]], swapped):
        with pytest.raises(RunError):
            parse_review(b"".join(broken), PLAN, "Cleo")
    # Cut at the end, the chain itself is whole; whoever knows the head sees it.
    shorter = parse_review(b"".join(lines[:-1]), PLAN, "Cleo")
    assert f"{len(lines) - 1} of the {len(lines)} entries" in cut_off(shorter, review.mark())


def test_a_log_of_another_plan_or_with_another_end_is_seen() -> None:
    review = made([("Ada", "comment", "", "", "x")])
    with pytest.raises(RunError, match="line 1 does not follow from the plan"):
        parse_review(bytes_of(review), "0" * 64, "Cleo")
    other = made([("Ada", "comment", "", "", "another")])
    assert "is not the log" in cut_off(other, review.mark())
    assert "damaged" in cut_off(other, {"entries": "many"})


def test_a_forged_step_is_seen_though_its_hashes_fit() -> None:
    review = Review(PLAN, "Cleo")
    parts = {"sequence": 1, "previous": PLAN, "at": "2027-01-01T00:00:00Z", "by": "Cleo", "kind": "reviewed"}
    draft = Entry.model_validate({**parts, "findings_sha256": FINDINGS, "sha256": "0" * 64})
    forged = draft.model_copy(update={"sha256": draft.content_sha256})
    with pytest.raises(RunError, match=r"entry 1 \(reviewed\) is not allowed there: Cleo prepared this report"):
        parse_review(forged.line, PLAN, "Cleo")
    assert parse_review(forged.line, PLAN, "Ada").entries == (forged,) != review.entries


# -- the states --------------------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(STEPS)), max_size=14))
def test_the_steps_follow_a_second_account_of_the_rules(steps: list[tuple[str, str]]) -> None:
    review = Review(PLAN, "Cleo")
    # The rules once more, as a table: in which status a step is allowed, and where it leads.
    table = {
        "prepared": {"draft": "draft", "superseded": "draft"},
        "reviewed": {"draft": "reviewed", "reviewed": "reviewed"},
        "approved": {"reviewed": "approved"},
        "superseded": {"approved": "superseded"},
    }
    status, version, preparers = "draft", 1, {"Cleo"}
    for by, kind in steps:
        before = len(review.entries)
        review = continued(review, by, kind, why="so")
        allowed = status in table[kind] and not (kind in ("reviewed", "approved") and by in preparers)
        assert (len(review.entries) > before) == allowed, (status, by, kind)
        if allowed:
            if kind == "prepared":
                if status == "superseded":
                    version, preparers = version + 1, {"Cleo"}
                preparers.add(by)
            status = table[kind][status]
        now = standing(review)
        assert (now.status, now.version) == (status, version)


@pytest.mark.parametrize(
    ("before", "step", "message"),
    [
        ([], ("Ada", "approved"), "version 1 of the report is a draft; only a reviewed report can be approved"),
        ([], ("a. preparer", "reviewed"), "prepared this report and cannot review it"),
        ([("Ada", "prepared")], ("ADA", "reviewed"), "ADA prepared this report and cannot review it"),
        ([("Ben", "reviewed"), ("Ada", "approved")], ("Ben", "reviewed"), "is approved; only a draft can be reviewed"),
        ([("Ben", "reviewed")], ("Ada", "superseded"), "only an approved report can be superseded"),
        ([("Ben", "reviewed")], ("Ada", "prepared"), "is reviewed; it can only be reviewed again or approved"),
        ([("Ben", "reviewed"), ("Ada", "approved")], ("Ada", "prepared"), "is approved; supersede it first"),
    ],
)
def test_an_illegal_step_is_refused_in_one_line(
    run: Run, before: list[tuple[str, Any]], step: tuple[str, Any], message: str
) -> None:
    for by, kind in before:
        add_entry(run, by, kind, why="so")
    written = (run.folder / REVIEW).read_bytes() if before else b""
    with pytest.raises(InputError) as told:
        add_entry(run, *step, why="so")
    assert message in str(told.value) and "\n" not in str(told.value)
    assert ((run.folder / REVIEW).read_bytes() if before else b"") == written


def test_what_an_approval_covers_cannot_be_changed_under_it(run: Run) -> None:
    add_entry(run, "Ben", "reviewed")
    add_entry(run, "Ada", "approved")
    for kind, finding, value in (("dismiss", "a.b", ""), ("accept", "a.b", ""), ("addressee", "", "The board")):
        with pytest.raises(InputError, match="prepare a new version"):
            add_entry(run, "Ada", kind, finding, value, "so")
    # Follow-up goes on.
    add_entry(run, "Ada", "owner", "a.b", "Dora")
    add_entry(run, "Ada", "superseded", why="the weights changed")
    add_entry(run, "Ada", "prepared")
    add_entry(run, "Ada", "dismiss", "a.b", why="known")
    assert finding_review(load_review(run), "a.b").decision == "dismissed"
    now = standing(load_review(run))
    assert (now.version, now.status, now.preparers) == (2, "draft", ("A. Preparer", "Ada"))


def test_other_findings_than_those_reviewed_are_not_approved(run: Run) -> None:
    add_entry(run, "Ben", "reviewed")
    path = run.folder / "findings.json"
    whole = path.read_bytes()
    path.write_bytes(whole + b" ")
    with pytest.raises(InputError, match="its findings have changed since; review it again first"):
        add_entry(run, "Ada", "approved")
    path.write_bytes(whole)
    assert add_entry(run, "Ada", "approved").findings_sha256 == hashlib.sha256(whole).hexdigest()


@pytest.mark.parametrize(
    ("kind", "parts", "message"),
    [
        ("dismiss", {"finding": "a.b"}, "dismiss: a reason is needed"),
        ("comment", {}, "comment: a reason is needed"),
        ("owner", {"finding": "a.b"}, "owner: a value is needed"),
        ("accept", {}, "accept: the id of a finding is needed"),
        ("approved", {"finding": "a.b"}, "this is about the report"),
        ("due", {"finding": "a.b", "value": "soon"}, "'soon' is not a date such as 2027-03-31"),
        ("due", {"finding": "a.b", "value": "2027-02-30"}, "is not a date"),
        ("assurance", {"value": "total"}, "'total' is not one of none, limited, reasonable"),
        ("action", {"finding": "a.b", "value": "half"}, "is not one of open, in progress, done, verified"),
        ("comment", {"why": "x" * 4_001}, "why: String should have at most 4000 characters"),
    ],
)
def test_an_incomplete_entry_is_refused(run: Run, kind: Any, parts: dict[str, str], message: str) -> None:
    with pytest.raises(InputError) as told:
        add_entry(run, "Ada", kind, **parts)
    assert message in str(told.value) and "\n" not in str(told.value)
    assert not (run.folder / REVIEW).exists()


def test_an_entry_is_dated_and_says_that_nobody_verified_the_name(run: Run) -> None:
    first = add_entry(run, "  A.   Auditor\n", "comment", why="one\x00 two ")
    assert (first.by, first.why, first.verified) == ("A. Auditor", "one  two", False)
    assert first.previous == run.plan.digest and first.at.endswith("Z")
    with pytest.raises(InputError, match="an entry needs the name of its author"):
        add_entry(run, " ", "comment", why="x")


# -- the file of a run -------------------------------------------------------------------------------------------


def cut(run: Run) -> None:
    path = run.folder / REVIEW
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))


def removed(run: Run) -> None:
    (run.folder / REVIEW).unlink()


def renamed(run: Run) -> None:
    path = run.folder / REVIEW
    path.write_bytes(path.read_bytes().replace(b'"by":"Ada"', b'"by":"Eve"'))


def linked(run: Run) -> None:
    path = run.folder / REVIEW
    path.rename(path.with_suffix(".txt"))
    path.symlink_to(path.with_suffix(".txt"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (cut, "has 1 of the 2 entries that it had when the report was made"),
        (removed, "has 0 of the 2 entries"),
        (renamed, "line 1 was changed after it was written"),
        (linked, REVIEW),
    ],
)
def test_verify_is_told_what_happened_to_the_log(run: Run, change: Callable[[Run], None], message: str) -> None:
    add_entry(run, "Ada", "comment", why="one")
    add_entry(run, "Ada", "comment", why="two")
    note_review(run)
    add_entry(run, "Ben", "comment", why="after the report")
    assert problems(run) == [] and [line for line in changed_files(run) if REVIEW in line] == []
    path = run.folder / REVIEW
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
    assert problems(run) == []
    change(run)
    (told,) = problems(run)
    assert message in told and "\n" not in told and told in changed_files(run)
    with pytest.raises(RunError):
        add_entry(run, "Ada", "comment", why="on top of it")
    (run.folder / "review.txt").unlink(missing_ok=True)


def test_what_is_no_log_is_refused_in_one_line(run: Run) -> None:
    for data in (b"{}\n", b"[" * 100_000 + b"\n", b"\xff\n", b"\n", json.dumps({"sequence": 1}).encode()):
        (run.folder / REVIEW).write_bytes(data)
        (told,) = problems(run)
        assert told.startswith(f"{REVIEW}, line 1 ") and "\n" not in told


def test_a_run_without_a_log_is_a_draft_by_its_declared_preparer(run: Run) -> None:
    note_review(run)
    assert run.manifest.get("review") is None
    now = standing(load_review(run))
    assert (now.version, now.status, now.preparers) == (1, "draft", ("A. Preparer",))
    assert not (Path(run.folder) / REVIEW).exists()
