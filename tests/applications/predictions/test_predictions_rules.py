"""Wrong predictions are a finding about the model, a clean twin raises no alarm; a spot check states the accuracy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from core.applications.predictions.measures import (
    by_class,
    contradicted_share,
    least_error,
    listed,
    reasons,
    share_without_captions,
    signals_against,
)
from core.applications.predictions.record import PredictionsRecord
from core.applications.predictions.rules import ACCURACY, IMPLAUSIBLE
from core.applications.predictions.score import HALF, implausibility, weights_sentence
from core.applications.predictions.strata import population
from core.applications.spot_check import accuracy, agreements, draw, drawn, spot_check_of
from core.errors import InputError
from core.findings import apply, load_thresholds
from core.rules import Context, Finding, Rule
from core.runs import Run
from core.runs.access import Actor
from core.runs.spot_check import SpotCheck, add_marks, load_spot_check, start_spot_check
from tests.support.made_predictions import CLASSES, record_of
from tests.support.made_run import made_run


def judged(rule: Rule, run: Run) -> list[Finding]:
    return list(apply(rule, Context.of(run, thresholds=load_thresholds())))


def saved(run: Run, record: PredictionsRecord) -> Run:
    record.save(PredictionsRecord.folder_of(run))
    return run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return made_run(tmp_path / "run", images=2, methods=("raw",))


@pytest.mark.parametrize("captions", [True, False])
def test_wrong_predictions_are_a_finding_about_the_model(run: Run, captions: bool) -> None:
    record = record_of(60, 24, captions=captions)
    (finding,) = judged(IMPLAUSIBLE, saved(run, record))
    assert finding.status == "finding" and finding.subject == "model" and finding.n == 60
    assert finding.title == "24 of 60 images have an implausible prediction"
    assert ("without the captions" in finding.condition) == captions
    wrong = {f"{at:03}.png" for at in range(24)}
    assert {sample.image_name for sample in finding.samples} <= wrong and len(finding.samples) == 3
    assert not {sample.image_name for sample in finding.counter} & wrong and finding.counter
    assert set(listed(record)["image_name"]) == wrong
    assert ("the caption names" in finding.samples[0].note) == captions


def test_a_clean_twin_raises_no_alarm(run: Run) -> None:
    (finding,) = judged(IMPLAUSIBLE, saved(run, record_of(60, 0)))
    assert finding.status == "passed" and not finding.samples
    (few,) = judged(IMPLAUSIBLE, saved(run, record_of(9, 0)))
    assert few.status == "cannot_conclude"


def test_between_the_two_nothing_is_concluded(run: Run) -> None:
    (finding,) = judged(IMPLAUSIBLE, saved(run, record_of(60, 8)))
    assert finding.status == "cannot_conclude" and "with 90 % power" in finding.condition


def test_measures_count_what_they_say() -> None:
    record = record_of(40, 10)
    assert contradicted_share(record).value == 10 / 40 and contradicted_share(record_of(40, 10, captions=False)).n == 0
    # Two of five predictions of each wrong image differ from the other three.
    assert least_error(record).value == pytest.approx(10 / 40 * 2 / 5)
    rows = by_class(record)
    assert sum(row.images for row in rows) == 40 and sum(row.contradicted for row in rows) == 10
    assert {row.name for row in rows} == set(CLASSES)


def test_reasons_are_those_of_the_row(run: Run) -> None:
    record = record_of(60, 24, captions=False)
    (finding,) = judged(IMPLAUSIBLE, saved(run, record))
    # Right predictions are clear and stable, and their neighbours agree: nothing speaks against them.
    assert [sample.note for sample in finding.counter] == ["", "", ""]
    assert "nearest images: 10 %" in finding.samples[0].note
    assert "unclear between classes: entropy 80 % of its maximum" in finding.samples[0].note
    # Neither the small lead nor the templates have a weight in the score, so that they are no reasons.
    assert "template" not in finding.samples[0].note and "ahead" not in finding.samples[0].note
    assert "Signals against the other 24, several of which can apply to one image" in finding.condition
    assert "below 50 %, 24." in finding.condition and "fewer than 75 % of the changed copies, 24;" in finding.condition
    # Where every caption contradicts, no other signal is needed.
    (contradicted,) = judged(IMPLAUSIBLE, saved(run, record_of(60, 24)))
    assert "For 24 of them the caption" in contradicted.condition and "Signals against" not in contradicted.condition
    # A signal that holds for nobody is not named.
    stable = replace(record, predictions=record.predictions.assign(disturbances=1.0))
    assert "copies" not in signals_against(stable) and "below 50 %, 24" in signals_against(stable)


def test_every_implausible_prediction_has_a_reason() -> None:
    random = np.random.default_rng(0)
    entropy, disturbances, neighbours = random.random((3, 4000))
    relations = random.choice(["named", "broader", "other", "none"], 4000)
    score = implausibility(entropy, disturbances, neighbours, relations.tolist())
    # A small lead and few templates are no reasons.
    base = record_of(1, 0).predictions.iloc[0].to_dict() | {"margin": 0.0, "templates": 0.0}
    unstated = [
        at
        for at in range(4000)
        if not reasons(
            SimpleNamespace(
                **base
                | {
                    "entropy": entropy[at],
                    "disturbances": disturbances[at],
                    "neighbours": neighbours[at],
                    "relation": relations[at],
                }
            )
        )
    ]
    assert unstated and not (score[unstated] > HALF).any() and (score > HALF).any()


def test_a_finding_says_whether_it_rests_on_the_captions(run: Run) -> None:
    record = record_of(60, 24)
    # By the other signals these predictions are plausible; only their captions name another class.
    calm = record.predictions.assign(entropy=0.6, disturbances=1.0, neighbours=0.2)
    score = implausibility(
        *(calm[name].to_numpy() for name in ("entropy", "disturbances", "neighbours")), calm["relation"]
    )
    changed = replace(record, predictions=calm.assign(score=score, implausible=score > HALF))
    (finding,) = judged(IMPLAUSIBLE, saved(run, changed))
    assert finding.status == "finding" and finding.title.endswith("mainly because the caption names another class")
    assert "images that would be implausible: 0 of 60, 0 % [0 %, 6 %]" in finding.condition
    assert (
        "Without the captions this would not be a finding" in finding.condition
        and share_without_captions(changed).value == 0
    )
    # The companion: signals that speak against the same images without the captions.
    (finding,) = judged(IMPLAUSIBLE, saved(run, record))
    assert "would be implausible: 24 of 60, 40 %" in finding.condition and "rests" not in finding.condition


def test_the_printed_weights_are_those_of_the_score() -> None:
    sentence = weights_sentence()
    assert "t = −0.5 + 2 × the entropy" in sentence and "− 1 × the share of changed copies" in sentence
    assert "−4 where the caption names the class" in sentence and "+1.5 where it names other classes" in sentence
    total = -0.5 + 2 * 0.3 - 1 * 0.5 - 2 * 0.1 + 1.5
    (score,) = implausibility(np.array([0.3]), np.array([0.5]), np.array([0.1]), ["other"])
    assert score == pytest.approx(1 / (1 + np.exp(-total)))


def test_without_a_record_nothing_is_judged(run: Run) -> None:
    assert judged(IMPLAUSIBLE, run) == judged(ACCURACY, run) == []


@pytest.fixture
def checked(run: Run) -> tuple[Run, SpotCheck]:
    """A run of 200 images, 60 of them wrong, with a sample of 60."""
    frame = population(saved(run, record_of(200, 60)))
    assert frame is not None
    return run, start_spot_check(run, drawn("predictions", frame, 60, seed=3))


def marks_of(check: SpotCheck, wrong: int) -> dict[str, str]:
    return {entry.image: "wrong" if int(entry.image, 16) < wrong else "right" for entry in check.sample}


def test_the_sample_is_random_stratified_and_the_same_for_a_seed(checked: tuple[Run, SpotCheck]) -> None:
    run, check = checked
    assert len(check.sample) == 60 and check.population == 200
    assert all(stratum.drawn >= 2 for stratum in check.strata)
    chance = {check.strata[entry.stratum].name.split(":")[0]: check.probability(entry) for entry in check.sample}
    assert chance["implausible"] > chance["plausible"]
    frame = population(run)
    assert frame is not None and drawn("predictions", frame, 60, 3) == check
    assert drawn("predictions", frame.iloc[::-1], 60, 3) == check
    assert {e.image for e in drawn("predictions", frame, 60, 4).sample} != {e.image for e in check.sample}


def test_marks_give_the_accuracy_of_all_images(checked: tuple[Run, SpotCheck]) -> None:
    run, check = checked
    assert judged(ACCURACY, run) == []
    add_marks(run, "Ada", marks_of(check, 60))
    (finding,) = judged(ACCURACY, run)
    assert finding.status == "finding" and finding.subject == "model" and "Ada" in finding.condition
    found = accuracy(check, marks_of(check, 60))
    # Strata are homogeneous here: the estimate is exact, although wrong ones were drawn more often.
    assert found.least.value == found.most.value == pytest.approx(140 / 200)
    unweighted = sum(verdict == "right" for verdict in marks_of(check, 60).values()) / 60
    assert unweighted < 0.65
    add_marks(run, "Ada", marks_of(check, 0))
    (clean,) = judged(ACCURACY, run)
    assert clean.status == "passed" and clean.title.startswith("By a spot check at least 9")


def test_images_without_a_clear_mark_count_both_ways(checked: tuple[Run, SpotCheck]) -> None:
    run, check = checked
    marks = dict(list(marks_of(check, 0).items())[:30])
    found = accuracy(check, marks)
    assert found.most.value == 1.0 and found.least.value is not None and found.least.value < 0.7
    assert found.marked == 30 and found.n == 60
    add_marks(run, "Ada", marks)
    (finding,) = judged(ACCURACY, run)
    assert finding.status == "cannot_conclude" and "30 images without a clear mark" in finding.condition


def test_two_judges_give_kappa_and_their_differences_are_unsure(checked: tuple[Run, SpotCheck]) -> None:
    run, check = checked
    add_marks(run, "Ada", marks_of(check, 60))
    marked = add_marks(run, Actor("Ben", verified=True), marks_of(check, 50))
    assert not marked.is_verified("Ada") and marked.is_verified("Ben")
    (pair,) = agreements(marked)
    assert (pair.first, pair.second, pair.kappa.n) == ("Ada", "Ben", 60) and 0 < (pair.kappa.value or 0) < 1
    assert 60 - pair.same == sum(verdict == "unsure" for verdict in marked.together().values()) > 0


def test_marks_on_other_predictions_are_not_judged(checked: tuple[Run, SpotCheck]) -> None:
    run, check = checked
    add_marks(run, "Ada", marks_of(check, 60))
    saved(run, record_of(200, 0))
    assert spot_check_of(run) is None and load_spot_check(run) is not None and judged(ACCURACY, run) == []


def test_a_new_sample_never_replaces_marks(checked: tuple[Run, SpotCheck]) -> None:
    run, check = checked
    start_spot_check(run, check)
    add_marks(run, "Ada", marks_of(check, 60))
    with pytest.raises(InputError, match="60 marks exists"):
        start_spot_check(run, check)


def test_a_run_without_the_application_has_nothing_to_draw_from(tmp_path: Path) -> None:
    run = made_run(tmp_path / "one")
    assert population(run) is None
    with pytest.raises(InputError, match="no predictions to check"):
        draw(run)
