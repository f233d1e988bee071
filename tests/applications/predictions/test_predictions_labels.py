"""The accuracy of the predicted classes by a label column, counted by hand."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from core.applications.predictions import chapter
from core.applications.predictions.chapter import label_sentence, label_tables
from core.applications.predictions.labels import (
    Labelled,
    absorbing,
    by_label,
    confusions,
    label_use,
    labelled,
    labels_of,
    largest_confusions,
    least_right,
    wrong_first,
)
from core.applications.predictions.rules import IMPLAUSIBLE, LABELS
from core.findings import Finding, apply, load_thresholds
from core.statistics import wilson
from tests.support.made_predictions import CLASSES, dataset_image, record_of

IMAGES, WRONG = 40, 10


def run_with(columns: dict[str, Any], **changes: Any) -> Any:
    """A run whose images have the labels that `record_of` made the predictions for, with some changed."""
    images = []
    for at in range(IMAGES):
        metadata = {name: values(at) for name, values in columns.items()}
        images.append(dataset_image(f"{at:016x}", f"{at:03}.png").model_copy(update={"metadata": metadata}))
    run = SimpleNamespace(dataset=SimpleNamespace(images=images, columns=tuple(columns), **changes))
    run.once = lambda read: read(run)
    return run


def true(at: int) -> str:
    return CLASSES[at % len(CLASSES)]


def of(columns: dict[str, Any]) -> Labelled | None:
    return labelled(run_with(columns), record_of(IMAGES, WRONG))


def test_the_accuracy_is_the_share_of_images_with_the_label() -> None:
    known = of({"light": lambda at: "day", "Class": lambda at: true(at).upper()})
    assert known is not None and (known.column, known.others) == ("Class", 0)
    assert known.rows["right"].tolist() == [False] * WRONG + [True] * (IMAGES - WRONG)
    accuracy = known.accuracy
    assert (accuracy.value, accuracy.n) == (0.75, IMAGES)
    assert (accuracy.low, accuracy.high) == pytest.approx(wilson(30, IMAGES))


def test_an_image_without_a_label_among_the_candidates_is_left_out() -> None:
    known = of({"label": lambda at: true(at) if at >= 4 else None if at < 2 else "windmill"})
    assert known is not None and (known.others, len(known.rows)) == (4, 36)
    assert known.accuracy.value == pytest.approx(30 / 36)


def test_one_of_several_labels_is_enough() -> None:
    known = of({"labels": lambda at: f"{true(at)}; {true(at + 1)}"})
    assert known is not None and known.accuracy.value == 1.0
    assert known.rows["label"].iloc[0] == "cat, dog"


@pytest.mark.parametrize("columns", [{}, {"light": true}, {"class": lambda at: "windmill"}, {"class": lambda at: None}])
def test_nothing_is_compared_without_labels(columns: dict[str, Any]) -> None:
    assert of(columns) is None
    assert label_sentence(labelled(run_with(columns), record_of(IMAGES, WRONG))) == ""


def test_the_report_states_the_accuracy_and_that_labels_were_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = {"label": lambda at: true(at) if at else None}
    run, record = run_with(columns), record_of(IMAGES, WRONG)
    sentence = label_sentence(labelled(run, record))
    assert sentence.startswith(
        "Share of images whose predicted class is the label in the metadata column label: 0.77 ["
    )
    assert sentence.endswith("Left out: 1 image without a label among the candidates.")
    monkeypatch.setattr("core.applications.predictions.labels.PredictionsRecord.of_run", lambda run: record)
    assert label_use(run) == "the accuracy and the errors of the predicted classes (metadata column label)"
    assert label_use(run_with({})) == ""
    monkeypatch.setattr("core.applications.predictions.labels.PredictionsRecord.of_run", lambda run: None)
    assert label_use(run) == ""


def judged(wrong: int, columns: dict[str, Any]) -> list[Finding]:
    record, thresholds = record_of(IMAGES, wrong), load_thresholds()
    run = run_with(columns)
    context: Any = SimpleNamespace(
        run=run, record=lambda read: labelled(run, record) if read is labels_of else record, thresholds=thresholds
    )
    return list(apply(LABELS, context))


def test_wrong_predictions_are_a_finding_with_both_kinds_of_samples() -> None:
    (finding,) = judged(20, {"label": true})
    low, high = wilson(20, IMAGES)
    assert (finding.status, finding.subject, finding.n) == ("finding", "model", IMAGES)
    assert finding.title == "20 of 40 predictions contradict the labels"
    assert "metadata column label for 20 of 40 images: 50" in finding.condition
    assert finding.grade is not None and finding.grade.likelihood == 0.5
    assert [sample.image_name for sample in finding.samples] == ["001.png", "009.png", "017.png"]
    assert finding.samples[0].text == "giraffe" and finding.samples[0].note == "label: cat"
    assert [sample.image_name for sample in finding.counter] == ["020.png", "021.png", "022.png"]
    (number,) = finding.evidence
    assert (number.value, number.low, number.high, number.counted) == (0.5, low, high, "images")


def test_right_predictions_pass_and_some_wrong_ones_decide_nothing() -> None:
    assert [one.status for one in judged(0, {"label": true})] == ["passed"]
    assert [one.status for one in judged(8, {"label": true})] == ["cannot_conclude"]
    # Three labelled images are too few, though each is wrong.
    few = judged(3, {"label": lambda at: true(at) if at < 3 else None})
    assert [one.status for one in few] == ["cannot_conclude"] and "37 images have no label" in few[0].condition


def test_the_rule_is_silent_without_labels() -> None:
    assert judged(20, {"light": true}) == []


def test_confusions_are_counted_and_every_wrong_prediction_is_printed() -> None:
    record = record_of(IMAGES, 20)
    known = labelled(run_with({"label": true}), record)
    assert known is not None
    found = confusions(known)
    # Each wrong prediction is the next class; 20 wrong ones of 8 classes, the first four three times.
    assert sum(row.images for row in found) == 20 and [row.images for row in found[:5]] == [3, 3, 3, 3, 2]
    named = largest_confusions(known)
    assert named.startswith("cat predicted as giraffe, 3 of 5; dog predicted as cat, 3 of 5") and named.endswith(
        "; and 4 more that occur at least twice"
    )
    assert absorbing(known) in {f"{name}, 3 of 20" for name in CLASSES}
    assert least_right(known) == "cat, 2 of 5 right"
    _, matrix, wrong = label_tables(known, record)
    assert (
        len(wrong.rows) == 20
        and not wrong.more
        and {row[0] for row in wrong.rows} == {f"{n:03}.png" for n in range(20)}
    )
    assert all(row[1] != row[2] for row in wrong.rows)
    heads = [column.title for column in matrix.columns]
    (dogs,) = [row for row in matrix.rows if row[0] == "dog"]
    assert dogs[heads.index("dog")] == "2" and dogs[heads.index("cat")] == "3" and len(matrix.rows) == len(CLASSES)
    # The companion: without errors there is nothing to list.
    right = labelled(run_with({"label": true}), record_of(IMAGES, 0))
    assert right is not None and wrong_first(right).empty
    assert right is not None and confusions(right) == [] and largest_confusions(right) == absorbing(right) == "none"
    assert least_right(right) == "none"
    assert len(label_tables(right, record_of(IMAGES, 0))) == 1


def test_wrong_predictions_begin_with_the_worst_label_and_its_most_frequent_error() -> None:
    rows = [(f"{at}", f"{at}.png", "dog", "dog", True) for at in range(4)]
    rows += [
        ("4", "4.png", "cat", "dog", False),
        ("5", "5.png", "owl", "cat", False),
        ("6", "6.png", "cat", "cat", True),
    ]
    rows += [
        ("7", "7.png", "dog", "cat", False),
        ("8", "8.png", "dog", "cat", False),
        ("9", "9.png", "dog", "ant", False),
    ]
    known = Labelled("label", pd.DataFrame(rows, columns=["image", "image_name", "predicted", "label", "right"]), 0)
    # The only image with the label ant comes last, although none of its predictions is right.
    assert wrong_first(known)["image"].tolist() == ["7", "8", "5", "4", "9"]
    assert least_right(known) == "cat, 1 of 4 right" and by_label(known)[0].name == "ant"


def test_many_classes_are_listed_as_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chapter, "MOST_CLASSES", 5)
    record = record_of(IMAGES, 20)
    known = labelled(run_with({"label": true}), record)
    assert known is not None
    pairs = label_tables(known, record)[1]
    assert pairs.rows[0] == ("cat", "giraffe", "3", "5") and len(pairs.rows) == 8


def test_labels_are_counted_one_by_one_and_say_how_many_implausible_predictions_are_wrong() -> None:
    record, run = record_of(IMAGES, 20), run_with({"label": true})
    known = labelled(run, record)
    assert known is not None
    rows = by_label(known)
    assert sum(row.images for row in rows) == IMAGES and sum(row.right for row in rows) == IMAGES - 20
    assert [row.right / row.images for row in rows] == sorted(row.right / row.images for row in rows)
    for row in rows:
        assert (row.share.low, row.share.high) == wilson(row.right, row.images)
    context: Any = SimpleNamespace(
        run=run, record=lambda read: known if read is labels_of else record, thresholds=load_thresholds()
    )
    (finding,) = apply(IMPLAUSIBLE, context)
    merged = known.rows.merge(record.predictions[["image", "implausible"]], on="image")
    wrong = int((merged["implausible"] & ~merged["right"]).sum())
    assert (
        finding.status == "finding"
        and f"By the labels, {wrong} of 20 implausible and 0 of 20 other predictions are wrong." in finding.effect
    )
    assert "spot check estimates" not in finding.effect
