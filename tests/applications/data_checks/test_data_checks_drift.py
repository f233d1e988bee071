"""Drift against reference images: from the request to the finding, with a clean twin."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.applications.data_checks.drift_rules import DRIFT
from core.applications.data_checks.record import DataRecord
from core.applications.data_checks.work import compared_with
from core.applications.work.stage import run_stage
from core.applications.work.subject import Subject
from core.datasets import load_dataset
from core.errors import InputError
from core.findings import apply, load_thresholds
from core.request import AuditRequest, applications_at, begin
from core.rules import Context, Finding
from core.runs import ModelSpec, Run
from tests.audit.small import loaded, save_model
from tests.support.made_photos import folder_of, night, photo

COUNT = 24


def run_of(folder: Path, flawed: bool, names: tuple[str, ...] = ("data_checks",)) -> tuple[Run, Subject]:
    images = folder_of(folder / "images", {f"{at:02}.png": photo(at) for at in range(COUNT)})
    others = {f"{at:02}.png": photo(100 + at) for at in range(COUNT)}
    reference = folder_of(folder / "others", {name: night(one) if flawed else one for name, one in others.items()})
    config = save_model(folder / "vit")
    request = AuditRequest.build(
        out=folder / "run",
        images=(images,),
        reference=(reference,),
        model=ModelSpec(name=str(config)),
        applications=applications_at("standard", names),
    )
    run = begin(request)
    return run, Subject(run, loaded(config))


def judged(run: Run) -> list[Finding]:
    return list(apply(DRIFT, Context.of(run, thresholds=load_thresholds())))


def test_reference_images_of_another_kind_are_a_finding_and_alike_ones_are_not(tmp_path: Path) -> None:
    run, subject = run_of(tmp_path / "flawed", True)
    (part,) = run.plan.applications
    assert len(load_dataset(run.folder / "reference" / part.options["reference"]).images) == COUNT
    record = DataRecord.load(run_stage(subject, part.name, part.options, lambda line: None))
    # One forward for each audited image and one for each reference image.
    assert record.about["image_forwards"] == 2 * COUNT
    (finding,) = judged(run)
    assert finding.status == "finding" and finding.n == 2 * COUNT and (finding.evidence[0].value or 0) > 0.8
    twin, subject = run_of(tmp_path / "clean", False)
    (part,) = twin.plan.applications
    run_stage(subject, part.name, part.options, lambda line: None)
    (finding,) = judged(twin)
    assert finding.status == "cannot_conclude" and "images in the same proportions" in finding.condition


def test_without_reference_images_nothing_is_said_and_wrong_ones_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="needs an application that compares"):
        run_of(tmp_path / "none", False, ("pairs",))
    assert not (tmp_path / "none" / "run").exists()
    run, subject = run_of(tmp_path / "one", False)
    record = DataRecord.load(run_stage(subject, "data_checks", {}, lambda line: None))
    assert record.about["drift"] is None and judged(run) == []
    for wrong in ("../..", "0" * 16):
        with pytest.raises(InputError):
            compared_with(subject, wrong, subject.embeddings(subject.images, lambda line: None), lambda line: None)
