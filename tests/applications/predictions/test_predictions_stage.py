"""The predictions of a run: what is recorded, what it costs, and what the chapter prints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from core.applications.predictions.card import CARD
from core.applications.predictions.chapter import sections, spot_check_section
from core.applications.predictions.record import PredictionsRecord
from core.applications.spot_check import draw
from core.applications.work.stage import run_stage
from core.applications.work.subject import Subject
from core.errors import ScopeError
from core.runs import TextPlan
from core.runs.spot_check import add_marks, start_spot_check
from tests.audit.small import CLASSES, loaded, new_run, plan_for, save_model, take_in
from tests.support.contexts import context_of


def subject_of(folder: Path, texts: TextPlan) -> Subject:
    config = save_model(folder / "vit")
    dataset = take_in(folder, 5)
    return Subject(new_run(folder / "run", plan_for(dataset, config, ("raw",), texts=texts)), loaded(config))


def test_the_record_holds_the_classes_of_the_model_at_the_stated_cost(tmp_path: Path) -> None:
    subject = subject_of(tmp_path, TextPlan(classes=CLASSES))
    lines: list[str] = []
    record = PredictionsRecord.load(run_stage(subject, "predictions", {"disturbances": 3}, lines.append))
    assert lines == ["embeddings: 5 of 5 images", "predictions: 5 of 5 images"]
    # The embeddings of the images themselves are shared by all applications.
    assert record.about["image_forwards"] == 5 + CARD.cost({"disturbances": 3}, 5) == 20 and CARD.embeds
    images = {image.id: image for image in subject.images}
    with torch.no_grad():
        classes = subject.model.embed_texts(CLASSES, subject.run.plan.texts.templates)
        for row in record.predictions.itertuples():
            pixels, _ = subject.model.preprocess([subject.open(images[row.image])])
            scores = (subject.model.embed_images(pixels) @ classes.T)[0]
            assert row.predicted == CLASSES[int(scores.argmax())]
            assert row.similarity == pytest.approx(float(scores.max()), abs=1e-5)
            # The companion: the worst class is another one.
            assert row.predicted != CLASSES[int(scores.argmin())]
            assert len(row.disturbed) == 3 and row.caption and 0 < row.score < 1
    start_spot_check(subject.run, draw(subject.run, 4))
    found = sections(context_of(subject.run))
    assert found[0].title == "Plausibility of predictions"
    assert "Accuracy by a spot check" not in [part.title for part in found]
    check = add_marks(subject.run, "Ada", {row.image: "right" for row in draw(subject.run, 4).sample})
    assert sections(context_of(subject.run))[-1] == spot_check_section(check)
    assert spot_check_section(check).tables[0].rows[0][0] == "Ada"


def test_prompts_serve_where_there_are_no_classes(tmp_path: Path) -> None:
    subject = subject_of(tmp_path, TextPlan(prompts=("a red circle", "a green square")))
    record = PredictionsRecord.load(run_stage(subject, "predictions", {"disturbances": 0}, lambda line: None))
    rows = record.predictions
    assert set(rows["predicted"]) <= {"a red circle", "a green square"} and record.about["kind"] == "prompts"
    assert np.isnan(rows["disturbances"].astype(float)).all() and np.isnan(rows["templates"].astype(float)).all()


def test_a_plan_without_classes_is_no_error_but_not_run(tmp_path: Path) -> None:
    with pytest.raises(ScopeError, match="two classes or prompts"):
        run_stage(subject_of(tmp_path, TextPlan(prompts=("one",))), "predictions", {}, lambda line: None)
