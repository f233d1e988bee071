"""Embeddings that stages share: an audit interrupted between two stages ends with the bytes of one that was not."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.applications.registry import application_plan
from core.audit import stages
from core.audit.stages import run_applications
from core.datasets import ingest
from core.runs import Run
from core.runs.integrity import APPLICATIONS
from tests.audit.small import draw_images, loaded, new_run, plan_for, save_model

NAMES = ("pairs", "predictions")


def audit(folder: Path, interrupted: bool) -> Run:
    """The stages of a run, of which the first embeds all images but one and the second the last one."""
    config = save_model(folder / "vit")
    drawn = draw_images(folder / "drawn", 10)
    lines = ["file,caption", *(f"drawn-{at}.png,a dog number {at}" for at in range(9))]
    (drawn / "captions.csv").write_text("\n".join(lines) + "\n")
    dataset = ingest([drawn], store=folder / "data")
    parts = tuple(application_plan(name, {}) for name in NAMES)
    run = new_run(folder / "run", plan_for(dataset, config, ("raw",), applications=parts))
    asked = iter([False, True])
    if interrupted:
        assert not run_applications(run, loaded(config), lambda line: None, cancelled=lambda: next(asked))
    assert run_applications(run, loaded(config), lambda line: None, cancelled=lambda: False)
    return run


def files(run: Run) -> dict[str, dict[str, str]]:
    return {name: run.manifest[APPLICATIONS][name]["files"] for name in NAMES}


def test_an_interruption_between_stages_changes_no_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = files(audit(tmp_path / "whole", interrupted=False))
    assert files(audit(tmp_path / "interrupted", interrupted=True)) == whole
    # The companion: without what the first stage embedded, the second pays for it and records another number.
    monkeypatch.setattr(stages, "embed_again", lambda subject, name, tell: None)
    other = files(audit(tmp_path / "other", interrupted=True))
    assert other["pairs"] == whole["pairs"] and other["predictions"] != whole["predictions"]


def test_the_manifest_counts_the_passes_of_each_stage(tmp_path: Path) -> None:
    run = audit(tmp_path, interrupted=False)
    told = run.manifest[APPLICATIONS]
    # All images but one have a caption; the second stage embeds the last one, and four disturbed copies of each.
    assert told["pairs"]["image_forwards"] == 9 and told["predictions"]["image_forwards"] == 1 + 4 * 10
    assert told["pairs"]["text_forwards"] == 9
