"""Checks in full: a criterion that several checks share is printed once; what is missing is said."""

from __future__ import annotations

from pathlib import Path

from core.content.assets import Assets
from core.findings import Finding
from core.reporting.gallery import Plates
from core.reporting.register import blocks, in_full
from core.runs.review import load_review
from tests.reporting.test_report import finding
from tests.support.made_run import made_run


def check(name: str, criterion: str, status: str = "cannot_conclude") -> Finding:
    return finding(id=f"made.{name}", title=name, status=status, severity="note", criterion=criterion)


def test_a_criterion_is_printed_once_for_all_checks_that_have_it() -> None:
    checks = (check("first", "At most one."), check("second", "At least two."), check("third", "At most one."))
    _, *sections, _ = in_full(checks, ())
    assert [[fact.name for fact in section.facts] for section in sections] == [
        ["first", "third", "Criterion"],
        ["second", "Criterion"],
    ]
    assert [bool(section.title) for section in sections] == [True, False]
    # Checks of another status stand under another title.
    _, *sections, _ = in_full((*checks, check("fourth", "At most one.", "passed")), ())
    assert [fact.name for fact in sections[-1].facts] == ["fourth", "Criterion"] and sections[-1].title


def test_a_finding_without_counter_evidence_says_so(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", images=1, methods=("raw",))
    shown = {"image": run.plan.images[0], "image_name": "a"}
    without = finding(counter_note="the lowest value")
    for one, said in ((without, True), (finding(counter=(shown,)), False)):
        (block,) = blocks((one,), Plates(run, Assets()), load_review(run))
        told = [fact.value for fact in block.details if fact.name == "Counter-evidence"]
        assert bool(told) == said and all("the lowest value" in text for text in told)
