"""`python -m core review` and `report --earlier`: what they print, and what they refuse in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.cli import main
from core.errors import RunError
from core.evaluation.summary import summarise
from core.findings import Finding, judge, load_findings, save_findings
from core.findings.earlier import EARLIER, changes, keep_earlier, load_earlier, parse_earlier
from core.reporting.changes import changes_data, counted
from core.rules.finding import Number, Severity, Status
from core.runs import Run
from core.runs.review import REVIEW, load_review
from tests.support.made_run import made_run


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = made_run(tmp_path_factory.mktemp("reviewed") / "run", images=4, methods=("raw", "rise"), failed=1)
    save_findings(run, judge(run, summarise(run)))
    return run


@pytest.fixture
def run(whole: Run) -> Run:
    (whole.folder / REVIEW).unlink(missing_ok=True)
    return whole


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["review", *arguments]) == 0
    return capsys.readouterr().out


def test_a_report_is_reviewed_from_draft_to_the_next_version(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    place = str(run.folder)
    item = next(one for one in load_findings(run) if one.status == "finding")
    assert "version 1, draft; 0 entries in the review log" in told(capsys, place)
    shown = told(capsys, place, "--by", "A. Auditor", "dismiss", item.id, "--why", "Known, see ticket 12")
    assert f"A. Auditor (not verified)  dismiss  {item.id}: Known, see ticket 12" in shown
    told(capsys, place, "owner", item.id, "B. Owner", "--by", "A. Auditor")
    told(capsys, place, "--by", "A. Auditor", "due", item.id, "2027-03-31")
    told(capsys, place, "--by", "A. Auditor", "addressee", "The board")
    told(capsys, place, "--by", "A. Auditor", "review")
    assert "version 1, approved" in told(capsys, place, "--by", "C. Chief", "approve", "--why", "All read")
    told(capsys, place, "--by", "C. Chief", "supersede", "--why", "New weights")
    data = json.loads(told(capsys, place, "--by", "A. Auditor", "prepare", "--json"))
    assert (data["version"], data["status"], len(data["entries"])) == (2, "draft", 8)
    assert data["head"] == data["entries"][-1]["sha256"] == load_review(run).head
    (about,) = [one for one in data["findings"] if one["id"] == item.id]
    assert (about["decision"], about["owner"], about["due"]) == ("dismissed", "B. Owner", "2027-03-31")
    assert json.loads(told(capsys, "--json", place)) == data
    assert f"{item.id}  " in told(capsys, place) and "owner: B. Owner; due: 2027-03-31" in told(capsys, place)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["accept", "FINDING"], 'give --by "NAME"'),
        (["--by", "A", "dismiss", "FINDING"], "dismiss: a reason is needed (--why)"),
        (["--by", "A", "dismiss", "F-03", "--why", "x"], "there is no finding 'F-03'"),
        (["--by", "A", "accept", "CHECK"], "it can only be commented on"),
        (["--by", "A", "approve"], "only a reviewed report can be approved"),
        (["--by", "a. preparer", "review"], "prepared this report and cannot review it"),
        (["--by", "A", "due", "FINDING", "tomorrow"], "'tomorrow' is not a date"),
        (["--by", "A"], "--by needs an entry"),
    ],
)
def test_a_wrong_entry_ends_in_one_line(
    run: Run, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    findings = load_findings(run)
    ids = {
        "FINDING": next(one.id for one in findings if one.status == "finding"),
        "CHECK": next(one.id for one in findings if one.status != "finding"),
    }
    assert main(["review", str(run.folder), *(ids.get(word, word) for word in arguments)]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1 and not (run.folder / REVIEW).exists()


def test_every_entry_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["review", "--help"])
    shown = capsys.readouterr().out
    for act in ("comment", "dismiss", "respond", "approve", "valid-until", "distribute"):
        assert f"  {act} " in shown
    with pytest.raises(SystemExit):
        main(["review", "run", "--by", "A", "assurance", "total"])
    assert "invalid choice: 'total'" in capsys.readouterr().err


def test_ids_of_findings_are_the_same_each_time_and_differ_from_each_other(run: Run) -> None:
    first, again = (judge(run, summarise(run)) for _ in range(2))
    ids = [finding.id for finding in first]
    assert ids == [finding.id for finding in again] and len(set(ids)) == len(ids)
    assert all(finding.id == finding.rule or finding.id.startswith(f"{finding.rule}.") for finding in first)


# -- an earlier run ----------------------------------------------------------------------------------------------


def finding(id: str, status: Status = "finding", severity: Severity = "low", value: float = 0.5) -> Finding:
    number = Number(name="share", value=value, low=value - 0.1, high=value + 0.1, n=12, counted="images")
    return Finding(
        id=id,
        rule=id,
        subject="model",
        title=f"Title of {id}",
        status=status,
        severity=severity if status == "finding" else "note",
        condition="C.",
        criterion="K.",
        threshold="",
        evidence=(number,),
    )


def test_findings_are_new_closed_or_changed() -> None:
    before = (
        finding("same"), finding("worse"), finding("moved"), finding("closed"), finding("unsure"), finding("gone"),
        finding("arose", "passed"), finding("fine", "passed"),
    )  # fmt: skip
    now = (
        finding("same"), finding("worse", severity="high"), finding("moved", value=0.7), finding("closed", "passed"),
        finding("unsure", "cannot_conclude"), finding("arose"), finding("first"), finding("fine", "passed"),
    )  # fmt: skip
    rows = changes(before, now)
    assert {row.id: row.change for row in rows} == {
        "same": "unchanged", "worse": "changed", "moved": "changed", "closed": "closed", "unsure": "inconclusive now",
        "gone": "not judged now", "arose": "new", "first": "new",
    }  # fmt: skip
    assert counted(rows) == (
        "Of 8 findings in either run: 2 new, 1 closed, 1 no longer shown, 1 no longer judged, 2 changed, 1 unchanged."
    )
    (arose,) = [row for row in rows if row.id == "arose"]
    assert (arose.before_state, arose.now_state) == ("passed", "finding")
    # The number that both have under one name, wherever it stands.
    moved = finding("moved", value=0.7)
    first = moved.evidence[0].model_copy(update={"name": "another", "value": 0.9})
    (row,) = changes((finding("moved"),), (moved.model_copy(update={"evidence": (first, *moved.evidence)}),))
    assert row.before is not None and row.now is not None and (row.before.value, row.now.value) == (0.5, 0.7)


def test_an_earlier_run_is_kept_and_checked(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    earlier = made_run(tmp_path / "earlier", images=4, methods=("raw", "rise"))
    kept = keep_earlier(run, earlier)
    assert load_earlier(run) == kept and kept.run == "earlier"
    rows = changes(kept.findings, load_findings(run))
    # One unit of the later run failed.
    (failed,) = [row for row in rows if row.id == "run.failures"]
    assert failed.change == "new"
    data = changes_data(kept, load_findings(run))
    assert data is not None and len(data["changes"]) == len(rows)
    with pytest.raises(RunError, match="of another plan"):
        parse_earlier((run.folder / EARLIER).read_bytes(), "0" * 64)
    with pytest.raises(RunError, match="is not valid JSON"):
        parse_earlier(b"{", run.plan.digest)
    other = made_run(tmp_path / "other", images=4, methods=("raw",))
    for name, message in (
        (str(other.folder), "has another plan than"),
        (str(run.folder), "--earlier names the run itself"),
        ("nowhere", "there is no run 'nowhere'"),
    ):
        assert main(["report", str(run.folder), "--earlier", name]) == 2
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1
    assert load_earlier(run) == kept
    (run.folder / EARLIER).unlink()
