"""The rules on the methods themselves: who fails which check, who is excused, and what follows from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.evaluation.summary import summarise
from core.findings import failed_methods, judge, load_thresholds
from core.findings.finding import Finding
from core.findings.sanity_verdicts import TESTS, verdicts
from core.methods.applications.sanity import LEAST_PICTURES
from core.reporting.assets import Assets
from core.reporting.body import cards
from core.reporting.front import limits, overview
from core.reporting.gallery import Plates, choose_methods
from core.reporting.sanity import sanity_sections
from core.reporting.trust import trust
from core.runs import Run
from core.statistics import Interval
from tests.findings.pinned import PINNED
from tests.support.made_run import made_run
from tests.support.made_sanity import made_sanity

CHECKS = ("model", "text", "seed", "flip", "paraphrase")
BROKEN: dict[str, dict[tuple[str, str], float]] = {
    "model": {("model", "image_tower"): 0.9},
    "text": {("text", "wrong 1"): 1.0, ("text", "wrong 2"): 1.0},
    "seed": {("seed", ""): 0.0},
    "flip": {("flip", ""): 0.0},
    "paraphrase": {("paraphrase", "photo"): 0.1},
}


def outcomes(run: Run) -> dict[str, Finding]:
    found = judge(run, summarise(run), PINNED)
    return {finding.rule.removeprefix("sanity."): finding for finding in found if finding.rule.startswith("sanity.")}


def test_without_a_record_nothing_is_said(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run")
    assert outcomes(run) == {} and failed_methods(run) == {} and sanity_sections(run, Assets()) == ()


def test_healthy_methods_pass_every_check(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run")
    made_sanity(run)
    found = outcomes(run)
    assert {check: finding.status for check, finding in found.items()} == dict.fromkeys(CHECKS, "passed")
    # Two of the four methods draw.
    assert found["seed"].title.startswith("2 of 2") and found["flip"].title.startswith("4 of 4")
    assert failed_methods(run) == {}
    assert all(number.n == 4 and number.low is not None for finding in found.values() for number in finding.evidence)


@pytest.mark.parametrize("check", CHECKS)
def test_a_broken_method_is_named_by_the_check_it_fails(tmp_path: Path, check: str) -> None:
    run = made_run(tmp_path / "run")
    made_sanity(run, {"rise": BROKEN[check]})
    found = outcomes(run)
    assert [name for name, finding in found.items() if finding.status == "finding"] == [check]
    told = found[check]
    assert told.title.startswith("1 of ") and "RISE" in told.condition and "RISE" in told.recommendation
    assert told.evidence[0].name.startswith("RISE") and told.samples and told.counter and told.grade is not None
    assert f"sanity.{check}" in told.threshold and told.criterion and told.reproduce and told.cause
    assert list(failed_methods(run, PINNED)) == ["rise"]


def test_methods_that_declare_to_ignore_texts_are_only_judged_by_the_rest(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", methods=("raw", "rollout"))
    same = {("text", "wrong 1"): 1.0, ("text", "wrong 2"): 1.0, ("model", "text_tower"): 1.0}
    made_sanity(run, {"rollout": same})
    found = outcomes(run)
    assert found["text"].status == found["model"].status == "passed"
    assert "Attention rollout" in found["text"].condition and found["text"].title.startswith("1 of 1")
    assert failed_methods(run) == {}
    # Neither the weights of the pictures' tower nor a mirror is excused, and no other method is.
    made_sanity(run, {"rollout": {**same, **BROKEN["model"]}, "raw": same})
    assert outcomes(run)["model"].status == "finding"
    assert set(failed_methods(run)) == {"raw", "rollout"}


def test_few_pictures_of_a_dear_method_are_told_and_not_judged(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run")
    made_sanity(run, {"rise": BROKEN["flip"]}, pictures={"rise": 3})
    found = outcomes(run)
    assert found["flip"].status == "passed" and "RISE (n = 3)" in found["flip"].condition
    assert failed_methods(run) == {}
    made_sanity(run, {"rise": BROKEN["flip"]}, pictures={"rise": LEAST_PICTURES})
    assert outcomes(run)["flip"].status == "finding"
    few = made_run(tmp_path / "few", images=3)
    made_sanity(few, {"rise": BROKEN["flip"]})
    assert {finding.status for finding in outcomes(few).values()} == {"cannot_conclude"}


def test_the_least_number_is_that_of_the_measurement() -> None:
    assert load_thresholds()["sanity.least_images"] == LEAST_PICTURES == PINNED["sanity.least_images"]


def test_the_mean_decides_and_not_one_variant(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run")
    made_sanity(run, {"raw": {("text", "wrong 1"): 1.0}})
    assert failed_methods(run, PINNED) == {}
    word = {v.method: v.word for v in verdicts(run, PINNED) if v.test.check == "text"}
    assert word["raw"] == "passes"


def test_a_mean_beyond_the_limit_is_not_enough_where_pictures_differ() -> None:
    (test,) = [test for test in TESTS if test.check == "flip"]
    assert not test.failed(Interval(0.28, 0.1, 0.45, 4), PINNED)
    assert test.failed(Interval(0.18, 0.1, 0.25, 4), PINNED)
    (test,) = [test for test in TESTS if test.check == "text"]
    assert not test.failed(Interval(0.97, 0.9, 0.99, 4), PINNED)
    assert test.failed(Interval(1.0, 1.0, 1.0, 4), PINNED)


def test_a_mirrored_map_must_reach_a_share_of_what_two_seeds_reach(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run")

    def words(**values: float) -> dict[str, str]:
        made_sanity(run, {name: {("flip", ""): 0.15, ("seed", ""): values["seed"]} for name in ("rise", "raw")})
        return {verdict.method: verdict.word for verdict in verdicts(run, PINNED) if verdict.test.check == "flip"}

    # Of two seeds' 0.3 a mirrored picture must reach 0.09; of a method that doesn't draw, 0.3.
    assert words(seed=0.3) == words(seed=0.0) | {"rise": "passes", "raw": "fails"}
    assert words(seed=0.8)["rise"] == "fails"


# -- what follows --------------------------------------------------------------------------------------------------


def report_parts(run: Run) -> dict[str, Any]:
    summary, assets = summarise(run), Assets()
    found = judge(run, summary, PINNED)
    faith = trust(run, summary, assets)
    return {
        "confidence": overview(run, summary, found, Plates(run, assets), assets, limits(run, summary)).confidence,
        "rows": [row[0] for section in faith for table in section.tables for row in table.rows],
        "cards": {card.title: {fact.name: fact.value for fact in card.facts} for card in cards(run, summary)},
        "limits": " ".join(limits(run, summary)),
        "said": " ".join(sentence for section in faith for sentence in section.sentences),
    }


def test_the_report_draws_no_conclusion_from_a_method_that_fails(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run")
    before = report_parts(run)
    assert "that of RISE" in before["confidence"] and "Not tested: dependence on the weights" in before["limits"]
    made_sanity(run)
    healthy = report_parts(run)
    assert healthy["confidence"] == before["confidence"] and "sanity check" not in " ".join(healthy["rows"])
    assert "dependence on the weights" not in healthy["limits"]
    made_sanity(run, {"rise": BROKEN["model"]})
    after = report_parts(run)
    assert "that of Information bottleneck" in after["confidence"]
    assert "fail a sanity check: RISE" in after["confidence"]
    assert after["rows"].count("RISE (fails a sanity check)") == 2 and "RISE" not in after["rows"][:8]
    assert "drawn anew" in after["cards"]["RISE"]["Left out of conclusions"] and "drawn anew" in after["said"]
    assert "Left out of conclusions" not in after["cards"]["Raw similarity"]
    made_sanity(run, dict.fromkeys(("raw", "m2ib", "rise", "gradcam"), BROKEN["flip"]))
    assert "No method passes the sanity checks" in report_parts(run)["confidence"]


def test_the_best_maps_are_chosen_among_methods_that_pass(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run")
    summary = summarise(run)
    assert "rise" in choose_methods(run, summary, 2)[0]
    made_sanity(run, {"rise": BROKEN["text"]})
    chosen, rule = choose_methods(run, summary, 2)
    assert "rise" not in chosen and len(chosen) == 2 and "RISE" in rule
    made_sanity(run, dict.fromkeys(("raw", "m2ib", "rise", "gradcam"), BROKEN["flip"]))
    assert len(choose_methods(run, summary, 2)[0]) == 2


def test_the_section_has_a_word_for_every_method_and_check(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", methods=("raw", "rollout", "rise"))
    made_sanity(run, {"raw": BROKEN["model"]}, pictures={"rise": 2}, problems=[["rise", "a.png", "flip", "no memory"]])
    assets = Assets()
    main, reported, failed = sanity_sections(run, assets)
    rows = {row[0]: row for row in main.tables[0].rows}
    assert rows["Raw similarity"][1].startswith("FAILS 0.9") and rows["Raw similarity"][2].startswith("passes")
    assert rows["Attention rollout"][2].startswith("ignores texts") and rows["Attention rollout"][3] == "not measured"
    assert all(cell.startswith("too few pictures (n = 2)") for cell in rows["RISE"][1:-1]) and rows["RISE"][-1] == "2"
    assert {len(row) for row in main.tables[0].rows} == {len(main.tables[0].columns)}
    assert main.charts[0].asset in assets.items
    assert {len(row) for row in reported.tables[0].rows} == {len(reported.tables[0].columns)}
    assert failed.tables[0].rows == (("RISE", "a.png", "flip", "no memory"),)
