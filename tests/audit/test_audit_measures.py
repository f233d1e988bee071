"""What a unit measures about its explanations: every map and control, and what that costs in forwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.attribution.contract import Work
from core.attribution.draws import kept_cells
from core.audit.cost import estimate
from core.audit.units import Bench, prepare, run_unit
from core.datasets import Dataset
from core.evaluation.compactness import compactness
from core.evaluation.correlation import infidelity
from core.models.pool import CoalitionPool
from core.models.trunk import ImageTrunk, TextTrunk
from core.runs import MethodPlan, Plan, TextPlan, TrustPlan
from tests.audit.small import CLASSES, loaded, new_run, plan_for

METHODS = ("raw", "gae", MethodPlan(name="kernel_shap", options={"masks": 40, "cells": 4, "words": 16}))
OF_MAPS = (
    "sparseness", "entropy", "effective_area", "sensitivity_n", "infidelity",
    "confidence_drop", "relative_drop", "confidence_increase",
)  # fmt: skip
OF_WORDS = ("comprehensiveness", "sufficiency")
CONTROLS = {"random", "centre", "edge"}
TEXTS = TextPlan(classes=CLASSES)


def bench_for(folder: Path, dataset: Dataset, config: Path, methods: Any = METHODS, **trust: Any) -> tuple[Bench, Plan]:
    given = {"steps": 3, "coalitions": 64, "resamples": 100, **trust}
    plan = plan_for(dataset, config, methods, texts=TEXTS, trust=TrustPlan(**given))
    return prepare(new_run(folder, plan), loaded(config)), plan


def rows_of(bench: Bench, plan: Plan) -> list[dict[str, Any]]:
    return [row for row in run_unit(bench, "key", plan.images[:1]) if row["kind"] != "score"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, dataset: Dataset, vit: Path) -> list[dict[str, Any]]:
    return rows_of(*bench_for(tmp_path_factory.mktemp("measured") / "run", dataset, vit))


def test_every_map_and_every_control_has_every_measure(made: list[dict[str, Any]]) -> None:
    assert {row["method"] for row in made if row["kind"] == "control"} == CONTROLS
    for row in made:
        assert row["status"] == "ok", row
        if row["kind"] == "control" or row.get("map"):
            assert all(row[name] is not None for name in OF_MAPS), row["method"]
            assert 0 <= row["infidelity"] <= 1 and -1 <= row["sensitivity_n"] <= 1
    # One measure means the same wherever it is printed: a map from its own row.
    for row in made:
        if row.get("map"):
            values = np.asarray(row["map"]).reshape(row["rows"], row["columns"])
            assert {name: row[name] for name in compactness(values)} == pytest.approx(compactness(values))


def test_words_are_measured_for_methods_of_words_and_one_control(made: list[dict[str, Any]]) -> None:
    captions = [row for row in made if row["text_kind"] == "caption"]
    for row in captions:
        has = row["method"] == "random" or len(set(row.get("word_values") or ())) > 1
        assert all((row.get(name) is not None) == has for name in OF_WORDS), row["method"]
    assert sum(row.get("sufficiency") is not None for row in captions) >= 3
    # KernelSHAP knows the value of every set of words here, so that chance is no better.
    by = {row["method"]: row for row in captions}
    assert by["kernel_shap"]["comprehensiveness"] >= by["random"]["comprehensiveness"]


def test_infidelity_is_that_of_the_coalitions_of_the_pool(
    tmp_path: Path, dataset: Dataset, vit: Path, made: list[dict[str, Any]]
) -> None:
    model = loaded(vit)
    pixels, _ = model.preprocess([dataset.open(dataset.images[0])])
    row = next(row for row in made if row["method"] == "raw" and row["text_kind"] == "caption")
    work = Work(model, ImageTrunk(model, pixels), TextTrunk(model, [row["text"]]))
    kept = kept_cells(work, 0, (4, 4), 64)
    answers = CoalitionPool(model, pixels[0]).embeddings(kept) @ work.texts.embeddings[0]
    values = np.asarray(row["map"]).reshape(row["rows"], row["columns"])
    whole = float(work.scores[0, 0])
    assert row["infidelity"] == pytest.approx(infidelity(kept.numpy(), answers.numpy(), whole, values), abs=1e-5)
    assert row["infidelity"] != pytest.approx(infidelity(kept.numpy(), answers.numpy(), whole, values.T), abs=1e-4)


def test_a_class_is_measured_by_its_probability_and_a_caption_by_its_cosine(made: list[dict[str, Any]]) -> None:
    for row in made:
        drop, share = row.get("confidence_drop"), row.get("relative_drop")
        if drop and row["text_kind"] == "caption":
            assert drop / share == pytest.approx(row["score"], abs=1e-5)
        if drop and row["text_kind"] == "class":
            # The best of three classes has at least a third.
            assert drop / share >= 1 / len(CLASSES) - 1e-6
            assert drop / share != pytest.approx(row["score"], abs=1e-3)


def test_only_confidence_costs_forwards_of_images(tmp_path: Path, dataset: Dataset, vit: Path) -> None:
    spent = {}
    for name, trust in (("none", {"confidence": False, "words": False}), ("words", {"confidence": False}), ("all", {})):
        bench, plan = bench_for(tmp_path / name, dataset, vit, **trust)
        with bench.model.meter.measuring() as counted:
            rows = rows_of(bench, plan)
        spent[name] = (counted.image, counted.text)
        assert all(row.get("sensitivity_n") is not None for row in rows if row["kind"] == "control")
    maps = {(row["method"], row["text"]) for row in rows if row.get("map")}
    assert spent["words"][0] == pytest.approx(spent["none"][0])
    # A map a method and text, and three controls that know no text.
    assert spent["all"][0] - spent["none"][0] == pytest.approx(len(maps) + len(CONTROLS))
    assert spent["all"][1] == spent["words"][1]
    methods = {row["method"] for row in rows if row.get("word_values")}
    captions = 1 + 4 * (len(methods) + 1)
    assert 0 < spent["words"][1] - spent["none"][1] <= len(TEXTS.classes) * captions


def test_words_alone_have_a_control_too(tmp_path: Path, dataset: Dataset, vit: Path) -> None:
    bench, plan = bench_for(tmp_path / "run", dataset, vit)
    bench.sides.update({method.name: ("text",) for method in plan.methods if "text" in bench.sides[method.name]})
    bench.sides["raw"] = ()
    rows = rows_of(bench, plan)
    assert {row["method"] for row in rows if row["kind"] == "control"} == {"random"}
    assert any(row.get("sufficiency") is not None for row in rows if row["kind"] == "method")
    assert not any("faithfulness" in row for row in rows)


def test_measures_do_not_depend_on_what_else_is_planned(
    tmp_path: Path, dataset: Dataset, vit: Path, made: list[dict[str, Any]]
) -> None:
    alone = rows_of(*bench_for(tmp_path / "run", dataset, vit, methods=("raw",)))
    for name in ("raw", "random"):
        one, other = ([row for row in rows if row["method"] == name] for rows in (alone, made))
        for first, second in zip(one, other, strict=True):
            told = {measure: first[measure] for measure in OF_MAPS}
            assert told == pytest.approx({measure: second[measure] for measure in OF_MAPS}, abs=1e-5)


def test_faithfulness_is_measured_again_where_the_plan_says_so(tmp_path: Path, dataset: Dataset, vit: Path) -> None:
    spent = {}
    for name, again in (("once", ()), ("twice", ("blur", "road"))):
        bench, plan = bench_for(tmp_path / name, dataset, vit, methods=("raw",), again=again, again_steps=2)
        with bench.model.meter.measuring() as counted:
            rows = rows_of(bench, plan)
        spent[name] = counted.image
        ways = {way for row in rows for way in ("blur", "road") if f"{way}_faithfulness" in row}
        assert ways == set(again)
    # Of each order of half the cells, both halves; the whole and the hidden image once a way.
    orders = len({row["text"] for row in rows if row["kind"] == "method"}) + len(CONTROLS)
    assert spent["twice"] - spent["once"] == pytest.approx(2 * (2 + 2 * orders))
    named = estimate(plan, dataset).by_method
    assert named["trust: road"] == named["trust: blur"] == len(dataset.images) * (2 + 2 * orders)
