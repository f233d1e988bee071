"""Units: what their keys cover, what they share, and that they don't depend on how images are grouped."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from core.attribution.context import estimate_context
from core.attribution.contract import Context
from core.attribution.explain import explain
from core.audit import units
from core.audit.units import prepare, run_unit, unit_key
from core.audit.worker import work
from core.datasets import Dataset
from core.runs import MethodPlan, TextPlan, TrustPlan
from tests.audit.small import loaded, new_run, plan_for

M2IB = MethodPlan(name="m2ib", options={"steps": 3, "samples": 2})


def maps(rows: Any, method: str) -> dict[tuple[str, str], np.ndarray]:
    rows = rows[(rows.kind == "method") & (rows.method == method)]
    return {(row.image, row.text): row.map for row in rows.itertuples()}


def test_the_bottleneck_of_a_cnn_uses_the_images_as_a_whole(
    tmp_path: Path, dataset: Dataset, cnn: Path, rendered: list[str]
) -> None:
    texts = TextPlan(prompts=("a drawing",), captions=False)
    found = {}
    for shard in (1, 3):
        run = new_run(tmp_path / str(shard), plan_for(dataset, cnn, (M2IB,), texts=texts, shard=shard))
        assert work(run, model=loaded(cnn)) == "done"
        found[shard] = maps(run.results(), "m2ib")
    assert len(found[1]) == len(dataset.images)
    for key, values in found[1].items():
        np.testing.assert_array_equal(values, found[3][key])
    model, images = loaded(cnn), [dataset.open(image) for image in dataset.images]
    block = model.image.depth - 3
    context = estimate_context(model, [model.preprocess(images)[0]], [block])
    options = dict(M2IB.options)
    for index, image in enumerate(dataset.images):
        shared = explain(model, [images[index]], ["a drawing"], "m2ib", context=context, sides=["image"], **options)
        alone = explain(model, [images[index]], ["a drawing"], "m2ib", sides=["image"], **options)
        got = found[1][image.id, "a drawing"]
        np.testing.assert_allclose(got, shared.image.ravel(), rtol=1e-3, atol=1e-4)
        assert not np.allclose(got, alone.image.ravel(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("depth", "options", "block"), [(7, {}, 4), (2, {}, 0), (4, {"layer": 1}, 1), (4, {"layer": -3}, 1)]
)
def test_the_context_is_taken_at_the_block_of_the_bottleneck(
    monkeypatch: pytest.MonkeyPatch, dataset: Dataset, vit: Path, tmp_path: Path,
    depth: int, options: dict[str, int], block: int,
) -> None:  # fmt: skip
    asked: list[int] = []

    def estimate(model: Any, batches: Any, blocks: list[int]) -> Context:
        asked.extend(blocks)
        return Context()

    monkeypatch.setattr(units, "estimate_context", estimate)
    run = new_run(tmp_path / "run", plan_for(dataset, vit, (MethodPlan(name="m2ib", options=options),)))
    model: Any = SimpleNamespace(image=SimpleNamespace(layout="maps", depth=depth))
    units._context(run, model, {"m2ib": ("image",)})
    assert asked == [block]
    units._context(run, model, {"m2ib": ("text",)})
    model.image.layout = "tokens"
    units._context(run, model, {"m2ib": ("image",)})
    assert asked == [block]


def test_a_layer_of_one_tower_leaves_the_other_side_out_by_name(tmp_path: Path, dataset: Dataset, vit: Path) -> None:
    model = loaded(vit)
    last, below = model.image.depth - 1, model.text.depth - 1
    assert below < last
    plan = plan_for(dataset, vit, (MethodPlan(name="nib", options={"layer": last, "steps": 2}), "raw"))
    bench = prepare(new_run(tmp_path / "run", plan), model)
    assert bench.sides["nib"] == ("image",)
    (told,) = [entry for entry in bench.not_run if entry[0] == "nib"]
    assert told[1:] == ("text", f"layer must be a block of the text side, 0 to {below}, not {last}")
    rows = [row for row in run_unit(bench, "key", plan.images[:1]) if row.get("method") == "nib"]
    assert rows and all(row.get("map") is not None and row.get("token_values") is None for row in rows)
    # With a layer of its own the text side runs.
    both = MethodPlan(name="nib", options={"layer": last, "text_layer": 0, "steps": 2})
    bench = prepare(new_run(tmp_path / "other", plan_for(dataset, vit, (both,))), model)
    assert bench.sides["nib"] == ("image", "text") and not bench.not_run


def test_masked_images_are_embedded_once_for_captions_and_classes(tmp_path: Path, dataset: Dataset, vit: Path) -> None:
    masks = 24
    plan = plan_for(dataset, vit, (MethodPlan(name="rise", options={"masks": masks, "cells": 4, "removal": "mean"}),))
    bench = prepare(new_run(tmp_path / "run", plan), loaded(vit))
    with bench.model.meter.measuring() as spent:
        rows = run_unit(bench, "key", plan.images[:1])
    assert {row["text_kind"] for row in rows if row["kind"] == "method"} == {"caption", "class"}
    assert spent.image == masks + 1


def test_a_unit_gives_the_same_rows_whatever_ran_before_it(tmp_path: Path, dataset: Dataset, vit: Path) -> None:
    plan = plan_for(dataset, vit, ("raw", MethodPlan(name="rise", options={"masks": 8})), trust=TrustPlan(steps=3))
    bench = prepare(new_run(tmp_path / "run", plan), loaded(vit))
    first = run_unit(bench, "key", plan.images[1:2])
    torch.manual_seed(99)
    run_unit(bench, "key", plan.images[:1])
    assert run_unit(bench, "key", plan.images[1:2]) == first
    assert run_unit(bench, "key", plan.images[:1]) != first


def test_prompts_are_embedded_once_for_all_images_and_give_the_same_rows(
    tmp_path: Path, dataset: Dataset, vit: Path
) -> None:
    model, texts = loaded(vit), TextPlan(captions=False, prompts=("a drawing", "a red shape", "a wall"))
    run = new_run(tmp_path / "run", plan_for(dataset, vit, texts=texts))
    shards = run.plan.shards()
    bench = prepare(run, model)
    with model.meter.measuring() as spent:
        shared = [run_unit(bench, str(at), shard) for at, shard in enumerate(shards)]
    assert spent.text == 3
    assert [run_unit(prepare(run, model), str(at), shard) for at, shard in enumerate(shards)] == shared
    # The companion: with captions no two images have the same texts, and none takes those of another.
    run = new_run(tmp_path / "captions", plan_for(dataset, vit, texts=texts.model_copy(update={"captions": True})))
    bench = prepare(run, model)
    with model.meter.measuring() as spent:
        told = [{row["text"] for row in run_unit(bench, str(at), shard)} for at, shard in enumerate(shards)]
    assert spent.text == 4 * len(shards)
    captions = {image.id: image.captions[0] for image in dataset.images}
    assert told == [{captions[shard[0]], *texts.prompts} for shard in shards]


def test_a_unit_key_covers_plan_weights_code_and_images(
    dataset: Dataset, vit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_for(dataset, vit)
    images = {image.id: image for image in dataset.images}
    first, second = plan.images[:2]
    key = unit_key(plan, (first,), images, "weights")
    assert key == unit_key(plan, (first,), dict(reversed(images.items())), "weights")
    others = {
        unit_key(plan.model_copy(update={"seed": 1}), (first,), images, "weights"),
        unit_key(plan, (first,), images, "other weights"),
        unit_key(plan, (second,), images, "weights"),
        unit_key(plan, (first, second), images, "weights"),
        unit_key(plan, (first,), {first: images[first].model_copy(update={"captions": ("other",)})}, "weights"),
        unit_key(plan, (first,), {first: images[first].model_copy(update={"name": "other"})}, "weights"),
    }
    monkeypatch.setattr(units, "plan_code", lambda _: "other code")
    others.add(unit_key(plan, (first,), images, "weights"))
    assert len(others) == 7
    assert key not in others


def test_a_text_that_is_caption_and_prompt_is_told_apart(tmp_path: Path, dataset: Dataset, vit: Path) -> None:
    caption = dataset.images[0].captions[0]
    plan = plan_for(dataset, vit, texts=TextPlan(prompts=(caption,), classes=(caption,)), trust=TrustPlan(steps=2))
    bench = prepare(new_run(tmp_path / "run", plan), loaded(vit))
    rows = run_unit(bench, "key", plan.images[:1])
    made = [row for row in rows if row["kind"] == "method"]
    assert [row["text_kind"] for row in made] == ["caption", "prompt", "class"]
    assert len({row["text"] for row in made}) == 1
    assert all(row.get("deletion_curve") for row in made)
