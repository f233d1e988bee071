"""What applications contribute to the comparison of groups."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.applications.predictions.image_values import image_measures as of_predictions
from core.applications.predictions.record import PredictionsRecord
from core.applications.registry import image_measures
from core.applications.reliance.image_values import image_measures as of_reliance
from core.applications.reliance.record import RelianceRecord
from core.runs import Run
from tests.applications.predictions.test_predictions_labels import run_with, true
from tests.support.made_predictions import record_of
from tests.support.made_reliance import made_reliance
from tests.support.made_run import made_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = made_run(tmp_path_factory.mktemp("measures") / "run", images=24, methods=("raw",))
    made_reliance(run)
    return run


def test_reliance_gives_the_share_of_the_score_that_is_lost(run: Run) -> None:
    record = RelianceRecord.of_run(run)
    assert record is not None
    measures = {measure.name: measure for measure in of_reliance(run)}
    assert set(measures) == {"reliance.background", "reliance.border"}
    image, value = next(iter(measures["reliance.border"].values.items()))
    rows = record.places[(record.places["image"] == image) & (record.places["place"] == "border")]
    rows = rows[rows["total"] > 0]
    assert value == pytest.approx(rows["fall"].sum() / rows["total"].sum())


def test_predictions_give_flips_and_implausibility(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", images=2, methods=("raw",))
    record = record_of(20, 5)
    record.save(PredictionsRecord.folder_of(run))
    measures = {measure.name: measure for measure in of_predictions(run)}
    assert set(measures) == {"predictions.score", "predictions.flips"}
    first = record.predictions.iloc[0]
    assert measures["predictions.flips"].values[first["image"]] == pytest.approx(1 - first["disturbances"])
    assert measures["predictions.score"].values[first["image"]] == pytest.approx(first["score"])


def test_where_labels_are_known_predictions_give_right_and_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    record = record_of(40, 10)
    run = run_with({"class": true})
    monkeypatch.setattr("core.applications.predictions.record.PredictionsRecord.of_run", lambda run: record)
    measures = {measure.name: measure for measure in of_predictions(run)}
    right = measures["predictions.right"]
    assert (right.subject, right.better, right.states_errors) == ("model", "higher", True)
    assert list(right.values.values()) == [0.0] * 10 + [1.0] * 30
    assert "predictions.right" not in {measure.name for measure in of_predictions(run_with({}))}


def test_names_are_unique_and_values_finite(run: Run, tmp_path: Path) -> None:
    measures = image_measures(run)
    assert measures and len({measure.name for measure in measures}) == len(measures)
    for measure in measures:
        assert measure.title and np.isfinite(list(measure.values.values())).all()
    assert image_measures(Run(tmp_path)) == ()
