"""The requirement map: its files, and what may be said of a requirement by the outcomes that bear on it."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from core.applications.registry import APPLICATIONS, application_plan
from core.errors import InputError
from core.evaluation.summary import summarise
from core.findings.judgement import apply_rules, every_rule
from core.reporting.requirements import (
    STATES,
    Coverage,
    Requirement,
    absent_checks,
    coverage,
    details,
    frameworks,
    matrix,
)
from core.rules import Context, Finding
from core.runs import Run
from core.runs.parts import Declared
from tests.support.made_run import made_run

NAMES = {
    "eu-ai-act", "nist-ai-rmf", "iso-iec-42001", "iso-iec-ts-6254", "iso-iec-ts-42119-2", "iso-iec-12792", "pren-18286",
}  # fmt: skip
NOTHING = Declared()
GOOD = """id = "x"
title = "X"
edition = "1"
source = "here"
checked = 2026-01-02
note = ""
[[requirements]]
id = "1"
paraphrase = "p"
rules = ["data.*"]
limits = ""
"""


def finding(rule: str, status: str) -> Finding:
    return Finding.model_validate(
        {
            "id": rule, "rule": rule, "subject": "data", "title": "t", "status": status, "severity": "note",
            "condition": "c", "criterion": "c", "threshold": "",
        }
    )  # fmt: skip


def test_every_rule_that_a_requirement_names_exists_and_none_claims_compliance() -> None:
    rules = [rule.id for rule in every_rule()]
    assert {framework.id for framework in frameworks()} == NAMES
    for framework in frameworks():
        assert len({requirement.id for requirement in framework.requirements}) == len(framework.requirements)
        for requirement in framework.requirements:
            for pattern in requirement.rules:
                assert any(fnmatchcase(rule, pattern) for rule in rules), f"{framework.id} {requirement.id}: {pattern}"
            assert requirement.rules or requirement.limits, requirement.id
    parts = (matrix([], NOTHING), details([], NOTHING))
    told = " ".join([*STATES.values(), *(row for part in parts for row in part.sentences)])
    assert "complies" not in told and "compliant" not in told


def test_a_state_follows_from_the_outcomes_alone() -> None:
    one = Requirement(id="1", paraphrase="p", rules=("data.*", "texts.unread"), limits="", whole=True)
    framework = frameworks()[0].model_copy(update={"requirements": (one,)})
    outcomes = [
        finding("data.quality", "finding"),
        finding("data.drift", "passed"),
        finding("texts.language", "passed"),
    ]
    (row,) = coverage(framework, outcomes, NOTHING)
    assert (row.findings, row.passed, row.inconclusive, row.state) == (1, 1, 0, "in part")
    bearing = [rule.id for rule in every_rule() if rule.id.startswith("data.")]
    absent = len(bearing) - 2
    assert absent > 2 and row.outcomes == f"1 finding, 1 passed, {absent + 1} not carried out"
    (row,) = coverage(framework, [*outcomes, finding("texts.unread", "cannot_conclude")], NOTHING)
    assert (row.state, row.outcomes) == ("in part", f"1 finding, 1 passed, 1 inconclusive, {absent} not carried out")
    every = [*(finding(rule, "passed") for rule in bearing), finding("texts.unread", "finding")]
    (row,) = coverage(framework, every, NOTHING)
    assert (row.state, row.outcomes) == ("supported", f"1 finding, {len(bearing)} passed")
    part = framework.model_copy(update={"requirements": (one.model_copy(update={"whole": False}),)})
    assert [row.state for row in coverage(part, every, NOTHING)] == ["in part"], "the rules cover a part of it"
    (row,) = coverage(framework, every[1:], NOTHING)
    assert row.state == "in part", "one of them was not carried out"
    (row,) = coverage(framework, [finding("data.drift", "cannot_conclude")], NOTHING)
    assert (row.state, row.outcomes) == ("unknown", f"1 inconclusive, {len(bearing)} not carried out")
    (row,) = coverage(framework, [finding("texts.language", "passed")], NOTHING)
    assert (row.state, row.outcomes) == ("unknown", "no check was carried out")
    none = Coverage(Requirement(id="2", paraphrase="p", rules=(), limits="l"), 0, 0, 0)
    assert (none.state, none.outcomes) == ("not addressed", "no check of this audit bears on it")


def test_what_is_not_declared_is_unknown_and_what_is_declared_is_never_more_than_a_part() -> None:
    outcomes = [finding("data.quality", "passed")]
    data = sum(rule.id.startswith("data.") for rule in every_rule()) - 1
    needs = Requirement(id="1", paraphrase="p", rules=(), limits="l", declared=("provenance",))
    both = Requirement(id="2", paraphrase="p", rules=("data.*",), limits="l", declared=("provenance", "licence"))
    framework = frameworks()[0].model_copy(update={"requirements": (needs, both)})
    missing, part = coverage(framework, outcomes, NOTHING)
    assert (missing.state, missing.outcomes) == ("unknown", "provenance not declared")
    assert (part.state, part.outcomes) == (
        "in part",
        f"1 passed, {data} not carried out, provenance not declared, licence not declared",
    )
    given, part = coverage(framework, outcomes, Declared(provenance="taken by the museum"))
    assert (given.state, given.outcomes) == ("in part", "provenance declared, not checked")
    assert part.outcomes == f"1 passed, {data} not carried out, provenance declared, not checked, licence not declared"


def test_a_requirement_on_the_provenance_of_data_names_the_declaration() -> None:
    for framework in frameworks():
        for each in framework.requirements:
            speaks = any(word in each.paraphrase.lower() for word in ("provenance", "origin"))
            assert speaks == ("provenance" in each.declared), f"{framework.id} {each.id}"


def test_the_matrix_counts_every_requirement_once() -> None:
    (table,) = matrix([finding("data.drift", "passed")], NOTHING).tables
    for framework, row in zip(frameworks(), table.rows, strict=True):
        assert row[0] == framework.title and sum(map(int, row[1:])) == len(framework.requirements)
    assert sum(len(each.rows) for each in details([], NOTHING).tables) == sum(len(f.requirements) for f in frameworks())


def test_another_framework_is_another_file_and_a_bad_one_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(GOOD)
    (own,) = frameworks(tmp_path)
    assert own.title == "X" and coverage(own, [finding("data.drift", "passed")], NOTHING)[0].state == "in part"
    for name, text, words in (
        ("b", GOOD.replace('limits = ""', ""), r"b\.toml is not a framework: requirements\.0\.limits: Field required"),
        ("c", GOOD + "colour = 1", r"c\.toml is not a framework: requirements\.0\.colour"),
        ("d", "id = ", r"d\.toml is not TOML"),
    ):
        folder = tmp_path / name
        folder.mkdir()
        (folder / f"{name}.toml").write_text(text)
        with pytest.raises(InputError, match=words) as caught:
            frameworks(folder)
        assert "\n" not in str(caught.value)


def test_every_check_without_an_outcome_is_named_with_the_reason(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run")
    context = Context.of(run, summarise(run))
    findings = apply_rules(context)
    absent = {check.id: check for check in absent_checks(context, findings)}
    assert set(absent) == {rule.id for rule in every_rule()} - {finding.rule for finding in findings}
    # No application is in the plan of this run; each of their rules has that reason.
    own = {rule.id: name for name, entry in APPLICATIONS.items() for rule in entry.rules()}
    assert {check for check in absent if "is not part of the plan" in absent[check].reason} == set(own) & set(absent)
    name = own["reliance.border"]
    run.update_manifest(not_run=[[name, "data set", "the model has no gradients"]])
    run.plan.model_copy(update={"applications": (application_plan(name, {}),)}).save(run.folder / "plan.json")
    again = Context.of(Run(run.folder), context.summary)
    reasons = {check.id: check.reason for check in absent_checks(again, ())}
    assert reasons["reliance.border"].endswith("was not run: the model has no gradients.")
    assert reasons["predictions.accuracy"].endswith("is not part of the plan.")
    (*_, table) = details(findings, NOTHING, tuple(absent.values())).tables
    assert sorted(", ".join(row[1] for row in table.rows).split(", ")) == sorted(absent)
    assert {row[0] for row in table.rows} == {check.reason for check in absent.values()}
