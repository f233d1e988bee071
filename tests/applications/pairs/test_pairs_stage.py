"""Captions and images of a run: what is recorded, what the chapter prints, and what a dataset must have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from core.applications.pairs.chapter import PRINTED, sections
from core.applications.pairs.record import PairsRecord
from core.applications.work.stage import run_stage
from core.applications.work.subject import Subject
from core.datasets import ingest
from core.errors import ScopeError
from tests.audit.small import draw_images, loaded, new_run, plan_for, save_model
from tests.support.contexts import context_of

WORDS = ("dog", "cat", "bird", "shore", "mat", "photo", "walk", "house", "tree", "fish")


def subject_of(folder: Path, captioned: int) -> Subject:
    config = save_model(folder / "vit")
    drawn = draw_images(folder / "drawn", len(WORDS))
    lines = ["file,caption", *(f"drawn-{at}.png,a {word}" for at, word in enumerate(WORDS[:captioned]))]
    (drawn / "captions.csv").write_text("\n".join(lines) + "\n")
    dataset = ingest([drawn], store=folder / "data")
    return Subject(new_run(folder / "run", plan_for(dataset, config, ("raw",))), loaded(config))


def test_the_record_holds_the_cosines_of_the_model(tmp_path: Path) -> None:
    subject = subject_of(tmp_path, 9)
    lines: list[str] = []
    record = PairsRecord.load(run_stage(subject, "pairs", {}, lines.append))
    assert record.about["images"] == record.about["captions"] == 9 and record.about["without_captions"] == 1
    assert lines == ["embeddings: 9 of 9 images"] and record.about["image_forwards"] == 9
    images = {image.id: image for image in subject.images}
    for row in record.captions.itertuples():
        pixels, _ = subject.model.preprocess([subject.open(images[row.image])])
        with torch.no_grad():
            cosine = float(subject.model.embed_images(pixels) @ subject.model.embed_texts([row.caption]).T)
        assert row.similarity == pytest.approx(cosine, abs=1e-5)
    # The companion: the cosines of another order of captions are others.
    assert np.abs(np.roll(record.captions["similarity"], 1) - record.captions["similarity"]).max() > 1e-4
    first, *_ = sections(context_of(subject.run))
    assert first.tables[0].rows[0][0] == "Image by its caption" and first.tables[0].rows[0][-1] == "9"
    assert all(len(table.rows) <= PRINTED for table in first.tables)
    assert run_stage(subject, "pairs", {}, lines.append).joinpath("captions.parquet").read_bytes()


def test_too_few_captions_are_no_error_but_not_run(tmp_path: Path) -> None:
    with pytest.raises(ScopeError, match="at least 8 images with captions that differ"):
        run_stage(subject_of(tmp_path, 7), "pairs", {}, lambda line: None)
    assert sections(context_of(subject_of(tmp_path / "other", 3).run)) == ()
