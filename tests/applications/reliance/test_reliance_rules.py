"""What the rules on reliance find where a flaw was planted, and that its clean twin passes them."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from core.applications.reliance.chapter import sections
from core.applications.reliance.record import RelianceRecord
from core.applications.reliance.rules import RULES
from core.findings import Finding, Thresholds
from core.findings.judgement import apply
from core.rules import Context
from core.runs import Run
from tests.findings.pinned import PINNED, with_values
from tests.support.contexts import context_of
from tests.support.made_reliance import made_reliance
from tests.support.made_run import made_run

CARDS = {rule.id: rule for rule in RULES}
# Each planted flaw and the findings that must name it; all other checks must pass.
FLAWS = {
    "concept": {"reliance.concept", "reliance.dominant"},
    "border": {"reliance.border"},
    "corner": {"reliance.border"},
    "background": {"reliance.background", "reliance.surroundings", "reliance.alone"},
    "sticker": {"reliance.typographic"},
    "template": {"prompts.templates"},
    "function": {"words.function"},
    "ignored": {"words.ignored"},
    "merged": {"words.merged"},
    "everywhere": {"reliance.surroundings", "reliance.alone"},
    "mark": {"reliance.alone"},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return made_run(tmp_path_factory.mktemp("reliance") / "run", images=24, methods=("raw",))


@pytest.fixture(autouse=True)
def no_record(run: Run) -> Any:
    yield
    shutil.rmtree(RelianceRecord.folder_of(run), ignore_errors=True)


def findings(run: Run, thresholds: Thresholds = PINNED) -> dict[str, Finding]:
    """Every outcome of the rules, by id."""
    context = Context.of(run, thresholds=thresholds)
    outcomes = [finding for rule in RULES for finding in apply(rule, context)]
    assert len({finding.id for finding in outcomes}) == len(outcomes)
    return {finding.id: finding for finding in outcomes}


def judged(run: Run, rule: str, thresholds: Thresholds = PINNED) -> Finding:
    """The first outcome of one rule."""
    return next(iter(apply(CARDS[rule], Context.of(run, thresholds=thresholds))))


def test_a_clean_record_passes_every_rule(run: Run) -> None:
    for seed in range(3):
        made_reliance(run, seed=seed)
        outcomes = findings(run)
        assert {finding.status for finding in outcomes.values()} == {"passed"}
        assert all(finding.n and finding.evidence for finding in outcomes.values())


@pytest.mark.parametrize("flaw", list(FLAWS))
def test_a_planted_flaw_is_found_by_its_rule_and_by_no_other(run: Run, flaw: str) -> None:
    made_reliance(run, flaw)
    outcomes = findings(run)
    assert {name for name, finding in outcomes.items() if finding.status == "finding"} == FLAWS[flaw]
    for name in FLAWS[flaw]:
        finding = outcomes[name]
        assert finding.grade is not None and finding.grade.likelihood > 0
        assert finding.cause.startswith("Hypothesis") and finding.recommendation and finding.effect
        assert finding.evidence and all(number.n for number in finding.evidence)
        assert flaw in ("ignored", "merged") or finding.samples
        assert not {sample.image for sample in finding.samples} & {sample.image for sample in finding.counter}
        first = CARDS[finding.rule].thresholds[0]
        assert str(PINNED[first]) in finding.threshold


def test_among_few_names_no_concept_is_found(run: Run) -> None:
    made_reliance(run, "concept")
    path = RelianceRecord.folder_of(run) / "about.json"
    about = json.loads(path.read_text())
    for count, status in ((29, "cannot_conclude"), (30, "finding")):
        path.write_text(json.dumps({**about, "candidates": count}))
        outcomes = findings(run)
        assert {outcomes[name].status for name in FLAWS["concept"]} == {status}
        assert outcomes["reliance.border"].status == "passed"


def test_what_a_finding_says_is_what_was_planted(run: Run) -> None:
    made_reliance(run, "corner")
    finding = judged(run, "reliance.border")
    assert finding.title == "Scores of \u201cred circle\u201d rely on the upper left corner"
    # 0.12 of 0.2, with noise of 0.01 per image.
    assert finding.evidence[0].value == pytest.approx(0.6, abs=0.03)
    assert {sample.text for sample in finding.samples} == {"red circle"}
    assert (finding.n, finding.unit, finding.subject) == (12, "images", "model")
    made_reliance(run, "concept")
    finding = judged(run, "reliance.concept")
    assert "grass" in finding.title and finding.evidence[0].value == pytest.approx(0.75, abs=0.03)
    made_reliance(run, "ignored")
    finding = judged(run, "words.ignored")
    assert "bright" in finding.title and finding.evidence[0].high == pytest.approx(0.004)
    made_reliance(run, "merged")
    finding = judged(run, "words.merged")
    assert "bright" in finding.title and "small" in finding.title and len(finding.evidence) == 2
    made_reliance(run, "everywhere")
    finding = judged(run, "reliance.surroundings")
    # 0.14 of 0.2 beyond the corners of other images.
    assert "red circle" in finding.title and finding.evidence[0].value == pytest.approx(0.7, abs=0.05)
    made_reliance(run, "mark")
    finding = judged(run, "reliance.alone")
    assert finding.title == "The upper left corner alone carries scores of \u201cred circle\u201d"
    assert len(finding.evidence) == 1


def test_without_a_record_nothing_is_said_and_with_few_images_nothing_is_concluded(run: Run, tmp_path: Path) -> None:
    assert findings(run) == {}
    few = made_run(tmp_path / "few", images=6, methods=("raw",))
    made_reliance(few, "corner")
    outcomes = findings(few)
    assert {name for name, finding in outcomes.items() if finding.status != "cannot_conclude"} == {
        "words.ignored",
        "words.merged",
    }
    made_reliance(run, "background", foreground=False)
    finding = judged(run, "reliance.background")
    assert finding.status == "cannot_conclude" and "foreground" in finding.condition


def test_a_background_must_be_missed_and_carried_by_its_corners(run: Run) -> None:
    made_reliance(run, "background")
    finding = judged(run, "reliance.background")
    # 0.12 of 0.2 hidden, with noise of 0.01 per image; the corners alone have 0.15 of 0.2.
    assert finding.status == "finding" and finding.evidence[0].value == pytest.approx(0.6, abs=0.03)
    share = re.search(r"A corner of its images alone carries, as a mean over the four, (\d+) %", finding.condition)
    assert share and int(share[1]) == pytest.approx(75, abs=4)
    made_reliance(run, "behind")
    outcomes = findings(run)
    unsure = {name for name, finding in outcomes.items() if finding.status != "passed" and name in CARDS}
    assert unsure == {"reliance.background"}
    finding = outcomes["reliance.background"]
    assert finding.status == "cannot_conclude" and "may contain the object" in finding.title
    assert "red circle" in finding.condition and "alone carries" in finding.condition
    # Captions have no corners shown alone.
    path = RelianceRecord.folder_of(run) / "places.parquet"
    places = pd.read_parquet(path)
    places.assign(text=places["text"] + " outside", text_kind="prompt").to_parquet(path, index=False)
    finding = judged(run, "reliance.background")
    assert finding.status == "cannot_conclude" and "only for a class" in finding.condition


@pytest.mark.parametrize("part", ["concept", "dominant", "border", "background", "surroundings", "alone"])
def test_a_verdict_on_all_topics_rests_on_the_images_of_all(run: Run, part: str) -> None:
    made_reliance(run)
    finding = judged(run, f"reliance.{part}")
    # Two topics of 12 images each: neither has them all.
    assert (finding.status, finding.n, finding.unit) == ("passed", 24, "images")
    assert min(number.n for number in finding.evidence) == 12


def test_a_verdict_on_classes_names_those_that_could_not_be_tested(run: Run) -> None:
    record = made_reliance(run)
    finding = judged(run, "reliance.surroundings")
    every = len(run.plan.texts.classes) or record.alone["text"].nunique()
    tested = set(run.plan.texts.classes or record.alone["text"]) & {"red circle", "green square"}
    assert finding.title.endswith(f" ({len(tested)} of {every} classes could be tested)")
    assert ("could not be tested" in finding.condition) == (every > len(tested))
    # Each image has one best class, so that the n of a verdict on all is their sum.
    assert finding.n == 24


def test_without_a_confirmed_name_the_check_for_unrelated_concepts_says_that_it_could_not_run(run: Run) -> None:
    record = made_reliance(run, "concept")
    path = RelianceRecord.folder_of(run) / "names.parquet"
    assert {judged(run, rule).status for rule in FLAWS["concept"]} == {"finding"}
    record.names.assign(area=0.5).to_parquet(path, index=False)
    for rule in FLAWS["concept"]:
        finding = judged(run, rule)
        assert finding.status == "cannot_conclude" and "no name of a region is confirmed" in finding.title
        assert "could not run" in finding.condition and "None of the 3 kinds" in finding.condition
    (names,) = [part for part in sections(context_of(run)) if part.title == "Names of concept regions"]
    assert names.results[0].startswith("None of the 3 kinds of regions has a confirmed name")


@pytest.mark.parametrize("count", [1, 2])
def test_thresholds_of_one_image_and_records_of_few_break_nothing(tmp_path: Path, count: int) -> None:
    few = made_run(tmp_path / "run", images=count, methods=("raw",))
    lenient = with_values(PINNED, {"general.least_images": 1, "reliance.topics.least_images": 1})
    for flaw in ("", "border", "concept"):
        made_reliance(few, flaw)
        for finding in findings(few, lenient).values():
            assert finding.condition and finding.title
            assert count > 1 or finding.id not in ("reliance.border", "reliance.concept") or not finding.grade
        shutil.rmtree(RelianceRecord.folder_of(few))
