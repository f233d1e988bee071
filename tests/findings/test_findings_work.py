"""An audit that gave nothing says so: no score, no explanation, a method or an application that failed altogether."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.audit.rows import scored
from core.evaluation.summary import summarise
from core.findings import NOTHING, judge, work_rules
from core.findings.judgement import apply
from core.findings.opinion import opinion
from core.outcome import outcome
from core.reporting.limitations import warning
from core.rules import Context, Outcome, Rule, Wording
from core.rules.finding import Finding, Number
from core.runs import ApplicationPlan, Run, write_unit
from tests.findings.pinned import PINNED
from tests.support.made_run import made_run

Change = Callable[[pd.DataFrame], pd.DataFrame]


def changed(run: Run, change: Change) -> Run:
    """The run with other rows; its units stay done."""
    rows = change(run.results().replace({np.nan: None}))
    for unit in run.store.units():
        write_unit(run.folder, unit["key"], rows[rows.unit == unit["key"]].to_dict("records"))
    return run


def failed(rows: pd.DataFrame, which: pd.Series[bool]) -> pd.DataFrame:
    rows.loc[which, "status"], rows.loc[which, "message"] = "failed", "the gradient is not finite"
    return rows


def no_score(rows: pd.DataFrame) -> pd.DataFrame:
    rows["score"] = None
    return failed(rows, rows.kind != "control")


def no_map(rows: pd.DataFrame) -> pd.DataFrame:
    return failed(rows, rows.kind == "method")


def same_score(value: float) -> Change:
    return lambda rows: rows.assign(score=value)


def per_text(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(score=[0.1 + len(text) / 100 for text in rows.text])


def per_image(rows: pd.DataFrame) -> pd.DataFrame:
    numbers = {image: at for at, image in enumerate(rows.image.unique())}
    return rows.assign(score=[0.1 + numbers[image] / 100 for image in rows.image])


@pytest.mark.parametrize(
    ("change", "title"),
    [
        (no_score, "The model gives no finite score"),
        (no_map, "No explanation worked"),
        (same_score(0.0), "Every score is zero"),
        (same_score(0.25), "The scores do not depend on the image"),
        (per_text, "The scores do not depend on the image"),
        (per_image, "The scores do not depend on the text"),
    ],
)
def test_nothing_worked_is_a_high_finding_and_exit_code_1(tmp_path: Path, change: Change, title: str) -> None:
    run = changed(made_run(tmp_path / "run", images=4), change)
    findings = judge(run, summarise(run), PINNED)
    found = next(finding for finding in findings if finding.id == NOTHING)
    assert (found.title, found.severity, found.status) == (title, "high", "finding")
    assert found.evidence[0].n == 4
    assert not [f.id for f in findings if f.status == "passed" and not f.rule.startswith("data.")]
    word, reason = opinion(run.progress(), findings)
    assert word == "Cannot conclude" and title in reason
    from core.findings import save_findings

    save_findings(run, findings)
    answer, code = outcome(run, "done", None)
    assert code == 1 and answer["data"]["nothing_worked"]


def test_a_sound_run_has_none_of_it_and_exit_code_0(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", images=4)
    rules = (work_rules.EMPTY, work_rules.METHODS, work_rules.APPLICATIONS)
    assert [finding for rule in rules for finding in apply(rule, Context.of(run))] == []
    assert outcome(run, "done", None)[1] == 0
    assert "All planned work was done" in {finding.title for finding in judge(run, summarise(run), PINNED)}


def test_a_method_that_failed_on_every_image_is_a_finding_with_n(tmp_path: Path) -> None:
    run = changed(made_run(tmp_path / "run", images=4), lambda rows: failed(rows, rows.method == "rise"))
    (found,) = apply(work_rules.METHODS, Context.of(run))
    assert found.severity in ("medium", "high") and found.evidence[0].n == 4
    assert "1 of 4 methods" in found.title and "the gradient is not finite" in found.condition
    assert outcome(run, "done", None)[1] == 1
    # The companion: one image on which it works is enough for this rule.
    again = changed(
        made_run(tmp_path / "other", images=4),
        lambda rows: failed(rows, (rows.method == "rise") & (rows.image != rows.image.iloc[0])),
    )
    assert list(apply(work_rules.METHODS, Context.of(again))) == []
    assert outcome(again, "done", None)[1] == 1


def test_a_failed_application_is_told_everywhere(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", images=4)
    plan = run.plan.model_copy(update={"applications": (ApplicationPlan(name="concepts"),)})
    plan.save(run.folder / "plan.json")
    run = Run(run.folder)
    run.update_manifest(application_problems={"concepts": "no concept was found"})
    findings = judge(run, summarise(run), PINNED)
    found = next(finding for finding in findings if finding.id == "run.applications")
    assert found.severity in ("medium", "high") and "no concept was found" in found.condition
    assert "All planned work was done" not in {finding.title for finding in findings}
    assert "1 application of 1 failed" in warning(run)
    answer, code = outcome(run, "done_with_errors", None)
    assert code == 1 and "concepts failed: no concept was found" in answer["text"]
    # What the model cannot serve did not fail.
    run.update_manifest(application_problems={}, not_run=[["concepts", "data set", "needs places"]])
    assert outcome(run, "done", None)[1] == 0 and warning(run) == ""


def test_a_check_without_a_value_has_not_passed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def rule(*numbers: float | None) -> Rule:
        evidence = tuple(Number(name="v", value=n, n=3) for n in numbers)
        wordings = {"passed": Wording("t", "c")}
        return Rule("x", "model", "?", "k", lambda _: [Outcome("passed", evidence=evidence)], wordings)

    run = made_run(tmp_path / "run", images=2)
    for numbers, status in (
        ((None,), "cannot_conclude"),
        ((float("nan"),), "cannot_conclude"),
        ((None, 1.0), "passed"),
    ):
        monkeypatch.setattr("core.findings.judgement.every_rule", lambda numbers=numbers: (rule(*numbers),))
        (found,) = judge(run, summarise(run), PINNED)
        assert isinstance(found, Finding) and found.status == status


def test_a_score_that_is_no_number_is_a_failed_row() -> None:
    assert scored(0.5) == {"status": "ok", "score": 0.5}
    for value in (float("nan"), float("inf"), float("-inf")):
        assert scored(value)["status"] == "failed" and scored(value)["score"] is None
        assert "not a finite number" in scored(value)["message"]
