"""The rules on the methods themselves: who fails which check, who is excused, and what follows from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.applications.sanity.card import LEAST_IMAGES
from core.applications.sanity.chapter import sections
from core.applications.sanity.record import SanityRecord
from core.applications.sanity.verdicts import CRITERIA, other_settings, verdicts
from core.content.assets import Assets
from core.evaluation.summary import summarise
from core.findings import failed_methods, judge, load_thresholds
from core.reporting.cards import cards
from core.reporting.front import overview
from core.reporting.gallery import Plates, choose_methods
from core.reporting.limitations import limits
from core.reporting.trust import trust
from core.rules.finding import Finding
from core.runs import Run
from tests.findings.pinned import PINNED
from tests.support.contexts import context_of
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
    run = made_run(tmp_path / "run", images=LEAST_IMAGES)
    assert outcomes(run) == {} and failed_methods(run) == {} and sections(context_of(run, Assets())) == ()


def test_healthy_methods_pass_every_check(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", images=LEAST_IMAGES)
    made_sanity(run)
    found = outcomes(run)
    assert {check: finding.status for check, finding in found.items()} == dict.fromkeys(CHECKS, "passed")
    # Two of the four methods draw.
    assert found["seed"].title.startswith("2 of 2") and found["flip"].title == "4 of 4 methods follow a mirrored image"
    assert failed_methods(run) == {}
    assert all(
        number.n == LEAST_IMAGES and number.low is not None for finding in found.values() for number in finding.evidence
    )


@pytest.mark.parametrize("check", CHECKS)
def test_a_broken_method_is_named_by_the_check_it_fails(tmp_path: Path, check: str) -> None:
    run = made_run(tmp_path / "run", images=LEAST_IMAGES)
    made_sanity(run, {"rise": BROKEN[check]})
    found = outcomes(run)
    assert [name for name, finding in found.items() if finding.status == "finding"] == [check]
    told = found[check]
    assert (
        told.title.endswith("undecided: 0; failing: 1") and "RISE" in told.condition and "RISE" in told.recommendation
    )
    assert told.evidence[0].name.startswith("RISE") and told.samples and told.grade is not None
    assert f"sanity.{check}" in told.threshold and told.criterion and told.reproduce and told.cause
    assert list(failed_methods(run, PINNED)) == ["rise"]
    # The whole method is beyond the limit: likelihood is not diluted by the methods that pass, and nothing contradicts.
    assert told.grade.likelihood == 1 and told.counter == () and told.subject == "explanations"


def test_methods_that_declare_to_ignore_texts_are_only_judged_by_the_rest(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", images=LEAST_IMAGES, methods=("raw", "rollout"))
    same = {("text", "wrong 1"): 1.0, ("text", "wrong 2"): 1.0, ("model", "text_tower"): 1.0}
    made_sanity(run, {"rollout": same})
    found = outcomes(run)
    assert found["text"].status == found["model"].status == "passed"
    assert "Attention rollout" in found["text"].condition and found["text"].title.startswith("1 of 1")
    assert failed_methods(run) == {}
    # Neither the weights of the images' tower nor a mirror is excused, and no other method is.
    made_sanity(run, {"rollout": {**same, **BROKEN["model"]}, "raw": same})
    assert outcomes(run)["model"].status == "finding"
    assert set(failed_methods(run)) == {"raw", "rollout"}


def test_few_images_of_a_dear_method_are_told_and_not_judged(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", images=LEAST_IMAGES)
    made_sanity(run, {"rise": BROKEN["flip"]}, images={"rise": LEAST_IMAGES - 1})
    found = outcomes(run)
    assert found["flip"].status == "passed" and f"Fewer than {LEAST_IMAGES} images: RISE." in found["flip"].condition
    assert failed_methods(run) == {}
    made_sanity(run, {"rise": BROKEN["flip"]}, images={"rise": LEAST_IMAGES})
    assert outcomes(run)["flip"].status == "finding"
    few = made_run(tmp_path / "few", images=LEAST_IMAGES - 1)
    made_sanity(few, {"rise": BROKEN["flip"]})
    assert {finding.status for finding in outcomes(few).values()} == {"cannot_conclude"}


def test_the_least_number_is_that_of_the_measurement() -> None:
    assert load_thresholds()["sanity.least_images"] == LEAST_IMAGES == PINNED["sanity.least_images"]


def test_the_mean_decides_and_not_one_variant(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", images=LEAST_IMAGES)
    made_sanity(run, {"raw": {("text", "wrong 1"): 1.0}})
    assert failed_methods(run, PINNED) == {}
    outcome = {v.method: v.outcome for v in verdicts(run, PINNED) if v.criterion.check == "text"}
    assert outcome["raw"] == "passes"


def uneven(run: Run, method: str, check: str, values: list[float]) -> None:
    """The record with these values, one per image, for one method and check."""
    record = made_sanity(run)
    of = (record.checks.method == method) & (record.checks.check == check)
    checks = record.checks.assign(value=record.checks.value.mask(of, [values[at % 4] for at in of.cumsum() - 1]))
    SanityRecord(record.about, checks).save(SanityRecord.folder_of(run))


def test_an_interval_on_both_sides_of_the_limit_neither_passes_nor_fails(tmp_path: Path) -> None:
    """The mean of 0.03 with an interval from below 0 to 0.4 once printed as "16 of 16 follow a mirrored image"."""
    run = made_run(tmp_path / "run", images=8)
    uneven(run, "raw", "flip", [-0.1, 0.35, -0.15, 0.42])
    finding = outcomes(run)["flip"]
    assert finding.status == "cannot_conclude"
    assert finding.title == "Inconclusive: 3 of 4 methods follow a mirrored image; 1 undecided"
    assert "Undecided: Raw similarity (0.13 [" in finding.condition and failed_methods(run, PINNED) == {}
    # Its companion: the same mean without the spread fails.
    uneven(run, "raw", "flip", [0.13, 0.14, 0.12, 0.13])
    finding = outcomes(run)["flip"]
    assert finding.title == "3 of 4 methods follow a mirrored image; undecided: 0; failing: 1"
    assert list(failed_methods(run, PINNED)) == ["raw"]


def test_samples_lie_beyond_the_limit_and_counter_samples_within_it(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", images=12)
    record = made_sanity(run, {"raw": {("flip", ""): -0.3}})
    images = sorted(set(record.checks.image))
    of = (record.checks.method == "raw") & (record.checks.check == "flip")
    good = of & record.checks.image.isin(images[:1])
    checks = record.checks.assign(value=record.checks.value.mask(good, 0.5))
    SanityRecord(record.about, checks).save(SanityRecord.folder_of(run))
    finding = outcomes(run)["flip"]
    assert finding.status == "finding" and {sample.image for sample in finding.counter} == set(images[:1])
    assert len(finding.samples) == 3 and not {sample.image for sample in finding.samples} & set(images[:1])
    assert finding.grade is not None and finding.grade.likelihood == round(11 / 12, 2)


def test_a_check_at_other_settings_is_printed_with_them(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", images=LEAST_IMAGES)
    record = made_sanity(run, {"rise": BROKEN["flip"]})
    # The audit runs RISE with 400 masks, the record with the default.
    assert list(other_settings(run, record)) == ["rise"] and "audit: 400" in other_settings(run, record)["rise"]
    finding = outcomes(run)["flip"]
    assert "(audit: 400)" in finding.condition and "about the method at those settings: RISE." in finding.condition
    assert "checked at masks = " in failed_methods(run, PINNED)["rise"]


def test_criteria_look_to_the_right_side() -> None:
    assert {one.check: one.at_most for one in CRITERIA} == {
        "model": True, "text": True, "seed": False, "flip": False, "paraphrase": False
    }  # fmt: skip


def test_a_mirrored_map_must_reach_a_share_of_what_two_seeds_reach(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", images=LEAST_IMAGES)

    def words(**values: float) -> dict[str, str]:
        made_sanity(run, {name: {("flip", ""): 0.15, ("seed", ""): values["seed"]} for name in ("rise", "raw")})
        return {one.method: one.outcome for one in verdicts(run, PINNED) if one.criterion.check == "flip"}

    # Of two seeds' 0.3 a mirrored image must reach 0.09; of a method that doesn't draw, 0.3.
    assert words(seed=0.3) == words(seed=0.0) | {"rise": "passes", "raw": "fails"}
    assert words(seed=0.8)["rise"] == "fails"


# -- what follows --------------------------------------------------------------------------------------------------


def report_parts(run: Run) -> dict[str, Any]:
    summary, assets = summarise(run), Assets()
    context = context_of(run, assets, summary=summary, findings=judge(run, summary, PINNED))
    faith = trust(context)
    return {
        "confidence": overview(context, Plates(run, assets), limits(context)).confidence,
        "rows": [row[0] for section in faith for table in section.tables for row in table.rows],
        "cards": {card.title: {fact.name: fact.value for fact in card.facts} for card in cards(context)},
        "limits": " ".join(limits(context)),
        "said": " ".join(sentence for section in faith for sentence in (*section.sentences, *section.results)),
    }


def test_the_report_draws_no_conclusion_from_a_method_that_fails(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", images=LEAST_IMAGES)
    before = report_parts(run)
    assert (
        "that of RISE" in before["confidence"]
        and "Not tested of the heat maps: dependence on the weights" in before["limits"]
    )
    made_sanity(run)
    healthy = report_parts(run)
    assert healthy["confidence"] == before["confidence"] and "fails a check" not in " ".join(healthy["rows"])
    assert "dependence on the weights" not in healthy["limits"]
    made_sanity(run, {"rise": BROKEN["model"]})
    after = report_parts(run)
    assert "that of Information bottleneck" in after["confidence"]
    assert "Excluded, because they fail a check: RISE" in after["confidence"]
    assert after["rows"].count("RISE (fails a check)") == 1
    assert [name for name in after["rows"] if name.startswith("RISE (fails a check), ")] == [
        "RISE (fails a check), captions",
        "RISE (fails a check), classes",
    ]
    assert "RISE" not in after["rows"][:8]
    assert "are re-initialised" in after["cards"]["RISE"]["Excluded from conclusions"]
    assert "are re-initialised" in after["said"]
    assert "Excluded from conclusions" not in after["cards"]["Raw similarity"]
    made_sanity(run, dict.fromkeys(("raw", "m2ib", "rise", "gradcam"), BROKEN["flip"]))
    assert "Every method fails a check" in report_parts(run)["confidence"]


def test_the_best_maps_are_chosen_among_methods_that_pass(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", images=LEAST_IMAGES)
    summary = summarise(run)
    assert "rise" in choose_methods(context_of(run, summary=summary), 2)[0]
    made_sanity(run, {"rise": BROKEN["text"]})
    chosen, rule = choose_methods(context_of(run, summary=summary), 2)
    assert "rise" not in chosen and len(chosen) == 2 and "RISE" in rule
    made_sanity(run, dict.fromkeys(("raw", "m2ib", "rise", "gradcam"), BROKEN["flip"]))
    assert len(choose_methods(context_of(run, summary=summary), 2)[0]) == 2


def test_the_section_has_a_word_for_every_method_and_check(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", images=LEAST_IMAGES, methods=("raw", "rollout", "rise"))
    made_sanity(run, {"raw": BROKEN["model"]}, images={"rise": 2}, problems=[["rise", "a.png", "flip", "no memory"]])
    assets = Assets()
    main, settings, reported, failed = sections(context_of(run, assets))
    assert [row[0] for row in settings.tables[0].rows] == ["RISE"]
    rows = {row[0]: row for row in main.tables[0].rows}
    assert rows["Raw similarity"][1].startswith("FAILS 0.9") and rows["Raw similarity"][2].startswith("passes")
    assert rows["Attention rollout"][2].startswith("ignores texts") and rows["Attention rollout"][3] == "not measured"
    assert all(cell.startswith("too few images (n = 2)") for cell in rows["RISE"][1:-1]) and rows["RISE"][-1] == "2"
    assert {len(row) for row in main.tables[0].rows} == {len(main.tables[0].columns)}
    assert main.charts[0].asset in assets.items
    assert {len(row) for row in reported.tables[0].rows} == {len(reported.tables[0].columns)}
    assert failed.tables[0].rows == (("RISE", "a.png", "flip", "no memory"),)
