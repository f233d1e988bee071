"""Quantities of evidence: title, unit and what n counts stand on one card each, and rules build no number by hand."""

from __future__ import annotations

import ast
from pathlib import Path
from types import SimpleNamespace

from core.evaluation.metrics import BY_NAME
from core.findings.judgement import apply
from core.rules import Context, Outcome, Rule, Wording, load_thresholds
from core.rules.quantity import RANK_CORRELATION, Quantity, of_metric
from core.runs import Run
from core.settings import ROOT
from core.statistics import Interval
from core.statistics.families import CONTROLS, MODELS

BUILDS = "core/rules/quantity.py"


def built_by_hand(tree: ast.Module) -> list[int]:
    """The lines that build a `Number` themselves."""
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name))
    return [node.lineno for node in calls if node.func.id == "Number"]  # type: ignore[attr-defined]


def test_an_estimate_is_evidence_with_title_unit_and_n() -> None:
    number = Quantity("share of {kind} that {group.n} has", "spreads", "texts").of(
        Interval(0.5, None, float("nan"), 7), kind="words", group=Interval(1.0, 0.0, 2.0, 3)
    )
    assert (number.name, number.unit, number.counted) == ("share of words that 3 has", "spreads", "texts")
    assert (number.value, number.low, number.high, number.n) == (0.5, None, None, 7)


def test_an_adjusted_p_is_part_of_the_evidence_where_its_family_is_known() -> None:
    row = SimpleNamespace(value=0.5, low=0.4, high=0.6, n=7, p_adjusted=0.02)
    one = Quantity("share", tests=CONTROLS).of(row)
    assert (one.p, one.test) == (0.02, "sign-flip test, Holm over methods, controls and kinds of text")
    row.tests = MODELS
    assert Quantity("share").of(row).test == "sign-flip test, Holm over methods of one compared model"
    # A p-value of which the family is not told, or that is not known, says nothing.
    for other in (
        SimpleNamespace(**{**vars(row), "tests": None}),
        SimpleNamespace(**{**vars(row), "p_adjusted": None}),
    ):
        assert (Quantity("share").of(other).p, Quantity("share").of(other).test) == (None, "")


def test_a_metric_gives_its_title_and_its_unit() -> None:
    above = of_metric("faithfulness", "{method}: {metric} above {control}")
    number = above.at(0.2, 9, 0.1, 0.3, method="RISE", control="the edge map")
    assert number.name == "RISE: faithfulness above the edge map"
    assert number.unit == BY_NAME["faithfulness"].unit == "share of the gain"
    assert of_metric("sensitivity_n").title == "sensitivity-n"


def test_n_counts_what_the_finding_counts_unless_the_quantity_says_otherwise(tmp_path: Path) -> None:
    evidence = (RANK_CORRELATION.at(0.1, 4, title="a / b"), Quantity("c", counted="sentences").at(0.1, 4))

    def counted(unit: str, own: str = "") -> list[str]:
        outcome = Outcome("passed", n=4, unit=own, evidence=evidence)
        rule = Rule("x", "model", "?", "k", lambda _: [outcome], {"passed": Wording("t", "c")}, unit=unit)
        (finding,) = apply(rule, Context(Run(tmp_path), load_thresholds()))
        return [number.counted for number in finding.evidence]

    assert counted("images") == ["images", "sentences"]
    assert counted("texts") == ["texts", "sentences"]
    assert counted("texts", own="words") == ["words", "sentences"]


def test_no_rule_builds_a_number_by_hand() -> None:
    files = [path for path in (ROOT / "core").rglob("*.py") if path != ROOT / BUILDS]
    assert not [str(path) for path in files if built_by_hand(ast.parse(path.read_text(encoding="utf-8")))]
    assert built_by_hand(ast.parse((ROOT / BUILDS).read_text(encoding="utf-8")))
