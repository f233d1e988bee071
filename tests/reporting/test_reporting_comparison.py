"""The section that sets two models side by side."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.evaluation.comparison import compare, save_comparisons
from core.findings import comparison_rules
from core.findings.judgement import apply
from core.reporting.comparison import comparisons
from core.rules import Context
from tests.support.contexts import context_of
from tests.support.made_run import made_run


def test_a_run_that_was_compared_with_nothing_has_no_section(tmp_path: Path) -> None:
    assert comparisons(context_of(made_run(tmp_path / "run", images=2))) == ()


def test_the_section_names_both_models_and_says_what_was_not_compared(tmp_path: Path) -> None:
    own = made_run(tmp_path / "own", images=6, methods=("raw", "rise"))
    other = made_run(tmp_path / "other", images=6, methods=("raw", "gradcam"), seed=3)
    other.update_manifest(model={**other.manifest["model"], "digest": "f" * 64, "title": "Another model"})
    save_comparisons(own, [compare(own, other)])
    own.update_manifest(comparison_problems=["third can't be compared"])
    section, problems = comparisons(context_of(own))
    assert section.title == "Loupe demo beside Another model"
    assert any(sentence == "Only on Loupe demo, and not compared: RISE." for sentence in section.sentences)
    scores, trust, maps = section.tables
    assert [len(table.rows) for table in (scores, trust, maps)] == [1, 1, 1]
    assert trust.rows[0][0] == maps.rows[0][0] == "Raw similarity"
    assert "n = 6" in trust.rows[0][3]
    assert scores.rows[0][-1] == "100 %" and scores.rows[0][0] == "Classes"
    assert problems.sentences == ("third can't be compared",)


def test_a_method_without_a_row_in_a_table_is_named_with_the_reason(tmp_path: Path) -> None:
    own = made_run(tmp_path / "own", images=6, methods=("raw", "rise"))
    other = made_run(tmp_path / "other", images=6, methods=("raw", "rise"), seed=3)
    other.update_manifest(model={**other.manifest["model"], "digest": "f" * 64, "title": "Another model"})
    whole = compare(own, other)
    save_comparisons(own, [whole])
    assert not any("Not in the table" in sentence for sentence in comparisons(context_of(own))[0].sentences)
    parts = {"maps": whole.maps[whole.maps.method == "raw"], "trust": whole.trust[whole.trust.method == "rise"]}
    save_comparisons(own, [replace(whole, **parts)])
    said = [sentence for sentence in comparisons(context_of(own))[0].sentences if "Not in the table" in sentence]
    assert [sentence.rsplit(": ", 1)[1] for sentence in said] == ["RISE.", "Raw similarity."]
    assert "of maps" in said[0] and "of faithfulness" in said[1]


def test_long_names_are_cut_in_the_heading_and_whole_below_it(tmp_path: Path) -> None:
    own, other = (made_run(tmp_path / name, images=2, methods=("raw",), seed=n) for n, name in enumerate("ab"))
    titles = [
        "A model whose title doesn't stop after thirty letters and not even after sixty",
        "Another model with a title of this kind, which goes on and on as titles of models do",
    ]
    for run, digest, title in zip((own, other), "ef", titles, strict=True):
        run.update_manifest(model={**run.manifest["model"], "digest": digest * 64, "title": title})
    save_comparisons(own, [compare(own, other)])
    (section,) = comparisons(context_of(own))
    assert len(section.title) < 2 * 60 + 20 and section.title.count("\u2026") == 2
    assert all(title in section.sentences[0] for title in titles)
    own.update_manifest(model={**own.manifest["model"], "title": "LiT-CLIP (EfficientNet-Lite2 + MiniLM)"})
    save_comparisons(own, [compare(own, other)])
    assert comparisons(context_of(own))[0].title.startswith("LiT-CLIP (EfficientNet-Lite2 + MiniLM) beside ")


@pytest.mark.parametrize(
    ("value", "p", "n", "status", "verdict"),
    [
        (0.2, 0.001, 14, "passed", "higher here"),
        (-0.2, 0.001, 14, "finding", "lower here"),
        (-0.2, 0.2, 14, "cannot_conclude", "no difference shown"),
        (-0.02, 0.001, 14, "cannot_conclude", "no difference shown"),
        (-0.2, 0.001, 5, "cannot_conclude", "too few images"),
    ],
)
def test_the_rule_and_the_table_give_the_same_verdict(
    tmp_path: Path, value: float, p: float, n: int, status: str, verdict: str
) -> None:
    own, other = (made_run(tmp_path / name, images=2, methods=("raw",), seed=at) for at, name in enumerate("ab"))
    other.update_manifest(model={**other.manifest["model"], "digest": "f" * 64, "title": "Another model"})
    comparison = compare(own, other)
    numbers = {"value": value, "low": value - 0.05, "high": value + 0.05, "n": n, "p": p, "p_adjusted": p}
    save_comparisons(own, [replace(comparison, trust=comparison.trust.assign(**numbers))])
    (finding,) = apply(comparison_rules.FAITHFULNESS, Context.of(own))
    assert (finding.status, finding.n, finding.unit, finding.subject) == (status, n, "images", "explanations")
    assert "Another model" in finding.title
    (section,) = comparisons(context_of(own))
    assert next(row[-1] for table in section.tables for row in table.rows if len(row) == 6) == verdict
    (result,) = section.results
    assert "Raw similarity" in result and "(here less there)" in result and f"n = {n}" in result
    assert ("fewer than the 12 images" if verdict == "too few images" else verdict) in result
    assert ("cannot be concluded" in result) == (status == "cannot_conclude")


def test_without_a_comparison_the_question_does_not_arise(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", images=2, methods=("raw",))
    assert list(apply(comparison_rules.FAITHFULNESS, Context.of(run))) == []
