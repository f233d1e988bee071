"""The worker on a real, small model: rows for everything, honest failures, retries, cancelling, resuming."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.attribution import clip_surgery, raw
from core.attribution.explain import explain
from core.audit import hold, units
from core.audit.engines import local
from core.audit.worker import work
from core.datasets import Dataset
from core.errors import InputError, LoupeError, RunError
from core.findings import load_findings
from core.methods import METHODS
from core.processes import this_owner
from core.runs import MethodPlan, Run, TextPlan, TrustPlan
from core.runs.queue import TRIES
from tests.audit.small import CLASSES, loaded, new_run, plan_for, result_hashes, save_model, stub_report, take_in

CHEAP = {
    "rise": {"masks": 8, "cells": 4},
    "m2ib": {"steps": 2, "samples": 2},
    "nib": {"steps": 2},
    "convis": {"preset": "fast"},
    "semantic_priors": {"count": 2},
}
EVERY = tuple(MethodPlan(name=name, options=CHEAP.get(name, {})) for name in METHODS)


def go(run: Run, config: Path) -> str:
    return work(run, model=loaded(config))


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory, dataset: Dataset, vit: Path) -> Iterator[Run]:
    folder = tmp_path_factory.mktemp("full")
    texts = TextPlan(prompts=("a drawing", "a photograph"), classes=CLASSES, top_classes=2)
    trust = TrustPlan(steps=4, resamples=100)
    run = new_run(folder / "run", plan_for(dataset, vit, EVERY, texts=texts, trust=trust, shard=3))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOUPE_HOME", str(folder / "home"))
        rendered = stub_report(patch)
        assert go(run, vit) == "done"
        assert rendered == [run.id]
        yield run


def test_a_full_run_has_finite_rows_for_every_image_text_and_method(full: Run, dataset: Dataset, vit: Path) -> None:
    rows = full.results()
    made = rows[rows.kind == "method"]
    expected = set()
    embeddings = loaded(vit).embed_texts(CLASSES, full.plan.texts.templates)
    for image in dataset.images:
        pixels, _ = loaded(vit).preprocess([dataset.open(image)])
        scores = (loaded(vit).embed_images(pixels) @ embeddings.T)[0].numpy()
        best = [CLASSES[index] for index in np.argsort(-scores, kind="stable")[:2]]
        texts = [(image.captions[0], "caption"), ("a drawing", "prompt"), ("a photograph", "prompt")]
        texts += [(name, "class") for name in best]
        expected |= {(image.id, text, kind, method) for text, kind in texts for method in METHODS}
    found = list(made[["image", "text", "text_kind", "method"]].itertuples(index=False, name=None))
    assert set(found) == expected
    assert len(found) == len(expected)
    assert set(made.status) == {"ok"}
    for row in made.itertuples():
        assert np.isfinite(row.score)
        assert len(row.map) == row.rows * row.columns
        assert np.isfinite(row.map).all()
        if "text" in METHODS[row.method].sides:
            assert len(row.tokens) == len(row.token_values) > 0
            assert np.isfinite(row.token_values).all()
        if np.ptp(row.map) > 0:
            assert len(row.deletion_curve) == len(row.insertion_curve) == 5
            assert np.isfinite(row.deletion_curve).all()
            assert np.isfinite(row.insertion_curve).all()
    scores = rows[rows.kind == "score"]
    assert len(scores) == len(dataset.images) * (1 + 2 + len(CLASSES))
    controls = rows[rows.kind == "control"]
    assert set(controls.method) == {"random", "centre", "edge"}
    assert len(controls) == len(dataset.images) * 5 * 3


def test_a_finished_run_keeps_where_it_came_from(full: Run, vit: Path) -> None:
    manifest = full.manifest
    assert manifest["model"]["digest"] == loaded(vit).digest
    assert manifest["plan_sha256"] == full.plan.digest
    assert manifest["state"] == full.progress().state == "done"
    assert manifest["started"] <= manifest["ended"]
    assert manifest["not_run"] == []
    assert manifest["cost"]["image_forwards"] > len(full.plan.images)
    assert load_findings(full)
    assert not full.progress().alive


def test_scores_and_maps_are_those_of_explain(full: Run, dataset: Dataset, vit: Path) -> None:
    image = dataset.images[1]
    rows = full.results()
    for method in ("raw", "gradcam", "gae", "legrad"):
        got = explain(loaded(vit), [dataset.open(image)], ["a drawing", "a photograph"], method)
        for index, text in enumerate(("a drawing", "a photograph")):
            row = rows[(rows.kind == "method") & (rows.image == image.id) & (rows.text == text)]
            row = row[row.method == method].iloc[0]
            np.testing.assert_allclose(row["map"], got.image[0, index].ravel(), atol=1e-6, rtol=1e-4)
            assert row.score == pytest.approx(float(got.scores[0, index]), abs=1e-6)
            if np.ptp(got.image[0, index]) > 0:
                assert not np.allclose(row["map"], got.image[0, 1 - index].ravel(), atol=1e-8, rtol=1e-6)


def test_surgery_explains_classes_on_the_whole_label_set_and_captions_alone(
    full: Run, dataset: Dataset, vit: Path
) -> None:
    image = dataset.images[0]
    rows = full.results()
    rows = rows[(rows.kind == "method") & (rows.method == "clip_surgery") & (rows.image == image.id)]
    opened, templates = [dataset.open(image)], full.plan.texts.templates
    whole = explain(loaded(vit), opened, CLASSES, "clip_surgery", templates=templates, mode="labels")
    classes = rows[rows.text_kind == "class"]
    assert len(classes) == 2
    part = explain(loaded(vit), opened, list(classes.text), "clip_surgery", templates=templates, mode="labels")
    for row in classes.itertuples():
        np.testing.assert_allclose(row.map, whole.image[0, CLASSES.index(row.text)].ravel(), atol=1e-6, rtol=1e-4)
        # The companion: on the explained classes alone the map is another one.
        assert not np.allclose(row.map, part.image[0, list(classes.text).index(row.text)].ravel(), atol=1e-6)
    own = rows[rows.text_kind != "class"]
    assert len(own) == 3
    single = explain(loaded(vit), opened, list(own.text), "clip_surgery", mode="single")
    labels = explain(loaded(vit), opened, list(own.text), "clip_surgery", mode="labels")
    for index, row in enumerate(own.itertuples()):
        np.testing.assert_allclose(row.map, single.image[0, index].ravel(), atol=1e-6, rtol=1e-4)
        assert not np.allclose(row.map, labels.image[0, index].ravel(), atol=1e-6)


def test_what_the_model_cannot_serve_is_listed_with_its_reason(
    tmp_path: Path, dataset: Dataset, cnn: Path, rendered: list[str]
) -> None:
    run = new_run(tmp_path / "run", plan_for(dataset, cnn, ("raw", "gae", "legrad", "clip_surgery")))
    told: list[str] = []
    assert work(run, told.append, loaded(cnn)) == "done"
    not_run = {(method, side): reason for method, side, reason in run.manifest["not_run"]}
    assert set(not_run) == {("gae", "image"), ("legrad", "image"), ("clip_surgery", "image")}
    assert all("image self-attention" in reason for reason in not_run.values())
    assert any(line.startswith("legrad: image side not run") for line in told)
    rows = run.results()
    made = rows[rows.kind == "method"]
    assert set(made.method) == {"raw", "gae"}
    gae = made[made.method == "gae"]
    assert gae["map"].isna().all()
    assert gae.token_values.notna().all()


def test_a_method_that_fails_on_one_image_leaves_the_others(
    tmp_path: Path, dataset: Dataset, vit: Path, rendered: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, calls = raw.attribute_image, []

    def fails_first(work: Any, options: Any) -> torch.Tensor:
        calls.append(work.image_keys[0])
        if calls[-1] == calls[0]:
            raise InputError("this image can't be read that way\nand a second line")
        return plain(work, options)

    monkeypatch.setattr(raw, "attribute_image", fails_first)
    run = new_run(tmp_path / "run", plan_for(dataset, vit, ("raw", "gradcam")))
    assert go(run, vit) == "done"
    rows = run.results()
    made = rows[rows.kind == "method"]
    failed = made[made.status == "failed"]
    assert set(failed.image) == {run.plan.images[0]}
    assert set(failed.method) == {"raw"}
    assert set(failed.message) == {"this image can't be read that way"}
    assert failed["map"].isna().all()
    assert failed.score.notna().all()
    assert len(made) == 2 * 2 * len(dataset.images)
    assert set(made[(made.image == run.plan.images[0]) & (made.method == "gradcam")].status) == {"ok"}
    (finding,) = [f for f in load_findings(run) if f.id == "run.failures"]
    assert finding.status == "finding"


@pytest.mark.parametrize(("error", "message"), [(FloatingPointError(), "FloatingPointError"), (None, "finite")])
def test_failures_without_words_and_values_that_are_no_numbers_are_told(
    tmp_path: Path, dataset: Dataset, vit: Path, rendered: list[str], monkeypatch: pytest.MonkeyPatch,
    error: Exception | None, message: str,
) -> None:  # fmt: skip
    plain = clip_surgery.attribute_image

    def broken(work: Any, options: Any) -> torch.Tensor:
        if error is not None:
            raise error
        return plain(work, options) * float("nan")

    monkeypatch.setattr(clip_surgery, "attribute_image", broken)
    run = new_run(tmp_path / "run", plan_for(dataset, vit, ("raw", "clip_surgery")))
    assert go(run, vit) == "done"
    rows = run.results()
    failed = rows[rows.status == "failed"]
    assert set(failed.method) == {"clip_surgery"}
    assert failed.message.str.contains(message).all()
    assert set(rows[(rows.kind == "method") & (rows.method == "raw")].status) == {"ok"}


def test_a_unit_that_raises_is_tried_again_and_then_fails(
    tmp_path: Path, dataset: Dataset, vit: Path, rendered: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, tries = units.run_unit, []

    def breaks(bench: Any, key: str, shard: Any) -> list[dict[str, Any]]:
        if shard[0] == bench.run.plan.images[1]:
            tries.append(key)
            raise ZeroDivisionError("a defect")
        return plain(bench, key, shard)

    monkeypatch.setattr(local, "run_unit", breaks)
    run = new_run(tmp_path / "run", plan_for(dataset, vit))
    assert go(run, vit) == "done_with_errors"
    assert len(tries) == TRIES
    states = [unit["state"] for unit in run.store.units()]
    assert states == ["done", "failed", "done", "done"]
    assert run.store.units()[1]["error"] == "ZeroDivisionError: a defect"
    assert sum(kind == "unit failed" for _, kind, _ in run.store.events()) == TRIES
    assert rendered == [run.id]
    assert set(run.results().image) == set(run.plan.images) - {run.plan.images[1]}
    # Once the defect is gone a resume does what is missing, and only that.
    monkeypatch.setattr(local, "run_unit", plain)
    before = result_hashes(run)
    assert go(run, vit) == "done"
    assert before.items() < result_hashes(run).items()


def test_without_a_report_a_run_is_judged_and_nothing_is_rendered(
    tmp_path: Path, dataset: Dataset, vit: Path, rendered: list[str]
) -> None:
    run = new_run(tmp_path / "run", plan_for(dataset, vit))
    assert work(run, model=loaded(vit), report=False) == "done"
    assert load_findings(run)
    assert rendered == [] and not any(run.report.glob("*"))
    other = new_run(tmp_path / "other", plan_for(dataset, vit))
    assert go(other, vit) == "done"
    assert rendered == [other.id]


def test_a_renderer_that_cannot_start_stops_a_run_before_any_work(
    tmp_path: Path, dataset: Dataset, vit: Path, rendered: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacks() -> None:
        raise LoupeError("the PDF renderer lacks its native libraries")

    run = new_run(tmp_path / "run", plan_for(dataset, vit))
    with monkeypatch.context() as patch:
        patch.setattr(sys.modules["core.reporting"], "check_renderer", lacks)
        with pytest.raises(LoupeError, match="native libraries"):
            go(run, vit)
        progress = run.progress()
        assert (progress.state, progress.total, rendered) == ("failed", 0, [])
        assert "native libraries" in progress.message
    assert go(run, vit) == "done"


def test_a_run_of_which_every_unit_fails_has_failed(
    tmp_path: Path, dataset: Dataset, vit: Path, rendered: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: Any) -> Any:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(local, "run_unit", breaks)
    run = new_run(tmp_path / "run", plan_for(dataset, vit))
    assert go(run, vit) == "failed"
    assert "a defect" in run.progress().message
    assert rendered == []


def test_a_cancelled_run_stops_between_units_and_goes_on(
    tmp_path: Path, dataset: Dataset, vit: Path, rendered: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = units.run_unit

    def cancels(bench: Any, key: str, shard: Any) -> list[dict[str, Any]]:
        bench.run.store.set(state="cancelling")
        return plain(bench, key, shard)

    monkeypatch.setattr(local, "run_unit", cancels)
    run = new_run(tmp_path / "run", plan_for(dataset, vit))
    assert go(run, vit) == "cancelled"
    progress = run.progress()
    assert (progress.state, progress.done, progress.total) == ("cancelled", 1, 4)
    assert rendered == []
    monkeypatch.setattr(local, "run_unit", plain)
    seen: list[str] = []
    monkeypatch.setattr(local, "run_unit", lambda bench, key, shard: seen.append(key) or plain(bench, key, shard))
    assert go(run, vit) == "done"
    assert len(seen) == 3
    assert rendered == [run.id]


def test_an_interrupt_gives_the_unit_back_and_leaves_the_run_cancelled(
    tmp_path: Path, dataset: Dataset, vit: Path, rendered: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    plain = local.run_unit
    monkeypatch.setattr(local, "run_unit", interrupted)
    run = new_run(tmp_path / "run", plan_for(dataset, vit))
    with pytest.raises(KeyboardInterrupt):
        go(run, vit)
    assert run.progress().state == "cancelled"
    assert [(unit["state"], unit["tries"]) for unit in run.store.units()] == [("waiting", 0)] * 4
    monkeypatch.setattr(local, "run_unit", plain)
    assert go(run, vit) == "done"


def test_a_changed_result_file_is_computed_anew(
    tmp_path: Path, dataset: Dataset, vit: Path, rendered: list[str]
) -> None:
    run = new_run(tmp_path / "run", plan_for(dataset, vit))
    assert go(run, vit) == "done"
    sound = result_hashes(run)
    first, second, *_ = sorted((run.folder / "results").glob("*.parquet"))
    first.write_bytes(first.read_bytes()[:-20])
    second.unlink()
    assert result_hashes(run) != sound
    assert go(run, vit) == "done"
    assert result_hashes(run) == sound
    assert ("requeued", "2 units are recomputed") in [(kind, message) for _, kind, message in run.store.events()]


def test_other_weights_cannot_continue_a_run(tmp_path: Path, dataset: Dataset, vit: Path, rendered: list[str]) -> None:
    run = new_run(tmp_path / "run", plan_for(dataset, vit))
    assert go(run, vit) == "done"
    other = save_model(tmp_path / "other", "vit", seed=1)
    with pytest.raises(RunError, match="other weights"):
        go(run, other)
    assert run.progress().state == "done"
    # The run's own weights still do.
    assert go(run, vit) == "done"


def test_another_data_set_cannot_continue_a_run(tmp_path: Path, vit: Path, rendered: list[str]) -> None:
    own = take_in(tmp_path / "own", 3)
    run = new_run(tmp_path / "run", plan_for(own, vit))
    assert go(run, vit) == "done"
    other = take_in(tmp_path / "other", 2)
    own.root.rename(tmp_path / "aside")
    other.root.rename(own.root)
    with pytest.raises(RunError, match="contains a dataset other than"):
        go(Run(run.folder), vit)
    own.root.rename(tmp_path / "elsewhere")
    with pytest.raises(RunError, match="is missing"):
        go(Run(run.folder), vit)


def test_a_second_worker_is_refused_while_one_is_alive(
    tmp_path: Path, dataset: Dataset, vit: Path, rendered: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new_run(tmp_path / "run", plan_for(dataset, vit))
    mine = this_owner()
    run.store.take(mine)
    run.store.set(state="running")
    with monkeypatch.context() as patch:
        patch.setattr(hold, "this_owner", lambda: "elsewhere:1:1")
        with pytest.raises(RunError, match=rf"process {os.getpid()} on this machine, holds .* lease ends in \d+ s"):
            go(run, vit)
    assert (run.progress().state, run.progress().alive) == ("running", True)
    # The companion: a dead holder doesn't stand in the way.
    run.store.take(mine)
    run.store.set(worker=mine + "1")
    assert (run.progress().state, run.progress().died) == ("running", True)
    assert go(run, vit) == "done"
    assert run.store.get("worker") == ""
