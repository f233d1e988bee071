"""The estimate before a run against what the meter counts during it, and seconds from a speed on record."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.applications.registry import application_plan
from core.audit.cost import estimate, has_speed, record_probe, record_speed, wants_probe
from core.audit.steps import record_steps
from core.audit.timings import ending_seconds, usual_seconds
from core.audit.worker import work
from core.datasets import Dataset
from core.methods.crops import CROPS
from core.models.listing import embedded_models
from core.runs import MethodPlan, ModelSpec, Plan, TextPlan, TrustPlan
from core.runs.steps import FINDINGS, IMAGES, REPORT
from tests.audit.small import CLASSES, loaded, new_run, plan_for

RISE = MethodPlan(name="rise", options={"masks": 60, "cells": 4, "removal": "mean"})
MEAN = {"removal": "mean", "coalitions": 0, "resamples": 100}


@pytest.mark.parametrize(
    "texts",
    [TextPlan(), TextPlan(classes=CLASSES), TextPlan(prompts=("a drawing",), captions=False)],
    ids=["captions", "captions and classes", "a prompt"],
)
def test_the_estimate_meets_the_meter(
    tmp_path: Path, dataset: Dataset, vit: Path, rendered: list[str], texts: TextPlan
) -> None:
    plan = plan_for(dataset, vit, ("raw", RISE), texts=texts, trust=TrustPlan(steps=16, **MEAN))
    run = new_run(tmp_path / "run", plan)
    assert work(run, model=loaded(vit)) == "done"
    expected = estimate(plan, dataset).image_forwards
    spent = run.manifest["cost"]["image_forwards"]
    assert spent == pytest.approx(expected, rel=0.1)
    assert run.manifest["cost"]["estimated_image_forwards"] == round(expected)
    # The companions: leaving out the curves, or the masks, is no longer near.
    bare = plan.model_copy(update={"trust": TrustPlan(curves=False)})
    assert spent != pytest.approx(estimate(bare, dataset).image_forwards, rel=0.1)
    few = plan.model_copy(update={"methods": (MethodPlan(name="raw"),)})
    assert spent != pytest.approx(estimate(few, dataset).image_forwards, rel=0.1)


def test_orders_that_share_cells_make_the_estimate_an_upper_bound(
    tmp_path: Path, dataset: Dataset, vit: Path, rendered: list[str]
) -> None:
    texts = TextPlan(prompts=("a drawing", "a drawing of"), classes=CLASSES, top_classes=3)
    plan = plan_for(dataset, vit, ("raw", RISE), texts=texts, trust=TrustPlan(steps=8, **MEAN))
    run = new_run(tmp_path / "run", plan)
    assert work(run, model=loaded(vit)) == "done"
    expected = estimate(plan, dataset)
    spent = run.manifest["cost"]["image_forwards"]
    assert spent <= expected.image_forwards
    assert spent > len(dataset.images) * (1 + 60) + expected.by_method["trust: deletion and insertion"] / 2


def test_the_estimate_names_what_each_part_costs(dataset: Dataset, vit: Path) -> None:
    parts = estimate(plan_for(dataset, vit, ("raw", RISE)), dataset).by_method
    assert parts == {"raw": 0.0, "rise": 60.0 * len(dataset.images)}
    with_curves = estimate(plan_for(dataset, vit, ("raw", RISE), trust=TrustPlan(steps=4)), dataset)
    assert set(with_curves.by_method) == {
        "raw", "rise", "trust: deletion and insertion", "trust: correlation", "trust: confidence",
    }  # fmt: skip
    assert with_curves.image_forwards == len(dataset.images) + sum(with_curves.by_method.values())


def test_what_is_shared_is_paid_once_and_what_is_dropped_by_half(dataset: Dataset, vit: Path) -> None:
    pooled = (MethodPlan(name="rise", options={"masks": 60}), MethodPlan(name="lime", options={"masks": 80}))
    count = len(dataset.images)
    plan = plan_for(dataset, vit, pooled, trust=TrustPlan(steps=4, coalitions=100))
    parts = estimate(plan, dataset).by_method
    assert (parts["rise"], parts["lime"], parts["trust: correlation"]) == (60 * count, 20 * count, 20 * count)
    known = plan.model_copy(update={"model": ModelSpec(name="demo-vit")})
    dropping = estimate(known, dataset).by_method
    # The images that maps fade are whole ones.
    assert dropping.pop("trust: confidence") == parts["trust: confidence"] > 0
    assert all(dropping[name] == 0.5 * parts[name] for name in dropping)
    cnn = plan.model_copy(update={"model": ModelSpec(name="demo-cnn")})
    assert estimate(cnn, dataset).by_method == parts


@pytest.mark.parametrize("margin", ["mean", "noise"])
def test_crops_of_a_method_and_an_application_are_paid_once_where_they_are_equal(
    tmp_path: Path, dataset: Dataset, vit: Path, rendered: list[str], margin: str
) -> None:
    crops = {"preset": "fast", "margin": margin}
    own = "a person | a person |", "an animal | an animal |"
    concepts = application_plan("concepts", {**crops, "vocabulary": "own", "own": own})
    plan = plan_for(
        dataset,
        vit,
        (MethodPlan(name="convis", options=crops),),
        applications=(concepts,),
        trust=TrustPlan(curves=False),
    )
    run = new_run(tmp_path / "run", plan)
    assert work(run, model=loaded(vit)) == "done"
    parts, count = estimate(plan, dataset).by_method, len(dataset.images)
    assert parts["convis"] == CROPS["fast"] * count
    # Noise is drawn by each for itself: the companion, in which the crops are paid twice.
    assert parts["concepts"] == (1 if margin == "mean" else 1 + CROPS["fast"]) * count
    assert run.manifest["cost"]["image_forwards"] == pytest.approx(estimate(plan, dataset).image_forwards, rel=0.05)


def test_dropping_makes_an_audit_cheaper(tmp_path: Path, dataset: Dataset, vit: Path, rendered: list[str]) -> None:
    spent = {}
    for removal in ("mean", "auto"):
        rise = MethodPlan(name="rise", options={"masks": 60, "cells": 4, "removal": removal})
        trust = TrustPlan(steps=6, removal=removal, coalitions=0, resamples=100)  # type: ignore[arg-type]
        run = new_run(tmp_path / removal, plan_for(dataset, vit, (rise,), trust=trust))
        assert work(run, model=loaded(vit)) == "done"
        assert run.manifest["removal"] == ("drop" if removal == "auto" else "mean")
        spent[removal] = run.manifest["cost"]["image_forwards"]
    # Half of 16 tokens and the class token, of 17.
    assert spent["auto"] / spent["mean"] == pytest.approx(9 / 17, rel=0.05)


def test_methods_that_the_embedded_model_cannot_serve_cost_nothing(dataset: Dataset, vit: Path) -> None:
    (demo, *_) = embedded_models()
    missing = next(name for name in ("legrad", "clip_surgery") if "image_attention" not in demo.capabilities)
    unknown = plan_for(dataset, vit, (missing,))
    known = unknown.model_copy(update={"model": ModelSpec(name="demo")})
    assert estimate(known, dataset).by_method[missing] == 0.0
    assert estimate(unknown, dataset).by_method[missing] > 0.0


def test_only_the_images_of_the_plan_count(dataset: Dataset, vit: Path) -> None:
    whole = plan_for(dataset, vit, (RISE,))
    half = whole.model_copy(update={"images": whole.images[:2]})
    assert estimate(half, dataset).image_forwards * 2 == estimate(whole, dataset).image_forwards


def test_seconds_need_a_speed_on_record(dataset: Dataset, vit: Path) -> None:
    plan = plan_for(dataset, vit, (RISE,))
    assert estimate(plan, dataset).seconds is None
    record_speed(plan, 10.0, 1.0, 2.0)
    assert estimate(plan, dataset).seconds is None, "ten forwards are too few to tell a speed"
    record_speed(plan, 500.0, 5.0, 2.0)
    expected = estimate(plan, dataset)
    assert expected.pass_seconds == pytest.approx(expected.image_forwards / 100.0 + 2.0)
    other = plan.model_copy(update={"model": ModelSpec(name="demo")})
    assert estimate(other, dataset).seconds is None


def test_a_probe_counts_until_a_run_was_timed(dataset: Dataset, vit: Path) -> None:
    plan = plan_for(dataset, vit, ("raw",))
    assert not has_speed(plan.model) and estimate(plan, dataset).timed == ""
    record_probe(plan.model, 80.0, 2.0, 4.0)
    first = estimate(plan, dataset)
    assert wants_probe(plan.model)
    assert has_speed(plan.model) and first.timed == "probe"
    assert first.pass_seconds == pytest.approx(first.image_forwards / 40.0 + 4.0)
    record_speed(plan, 500.0, 5.0, 2.0)
    assert not wants_probe(plan.model)
    record_probe(plan.model, 80.0, 2.0, 4.0)
    timed = estimate(plan, dataset)
    assert timed.timed == "run" and timed.pass_seconds == pytest.approx(timed.image_forwards / 100.0 + 2.0)


def usual(name: str, plan: Plan) -> float:
    seconds = usual_seconds(name, plan)
    assert seconds is not None
    return seconds


def test_the_end_of_an_audit_takes_what_it_took_before(dataset: Dataset, vit: Path) -> None:
    plan = plan_for(dataset, vit, ("raw",))
    record_speed(plan, 500.0, 5.0, 2.0)
    assert usual_seconds(IMAGES, plan) is None
    first = estimate(plan, dataset)
    assert first.seconds is not None and first.pass_seconds is not None
    assert first.seconds - first.pass_seconds == pytest.approx(usual(FINDINGS, plan) + usual(REPORT, plan))
    # A report that took three times as long here; of another plan it is three times what is usual for that one.
    record_steps(plan, {REPORT: 3.0})
    assert ending_seconds(plan) == pytest.approx(usual(FINDINGS, plan) + 3 * usual(REPORT, plan))
    more = plan_for(dataset, vit, ("raw", RISE))
    assert usual(REPORT, more) > usual(REPORT, plan)
    assert ending_seconds(more) == pytest.approx(usual(FINDINGS, more) + 3 * usual(REPORT, more))


@pytest.mark.parametrize("keep", [0.5, 0.3])
def test_fixlip_takes_over_the_coalitions_of_rise_where_both_draw_alike(
    tmp_path: Path, dataset: Dataset, vit: Path, rendered: list[str], keep: float
) -> None:
    drawn = {"masks": 60, "cells": 4}
    fixlip = MethodPlan(name="fixlip", options={**drawn, "words": 4, "keep": keep})
    plan = plan_for(
        dataset, vit, (MethodPlan(name="rise", options=drawn), fixlip), trust=TrustPlan(curves=False), texts=TextPlan()
    )
    known = plan.model_copy(update={"model": ModelSpec(name="demo-vit")})
    run = new_run(tmp_path / "run", plan)
    assert work(run, model=loaded(vit)) == "done"
    count = len(dataset.images)
    # The companion draws for itself.
    assert estimate(known, dataset).by_method["fixlip"] == (0.0 if keep == 0.5 else keep * 60 * count)
    expected = count * (1 + 0.5 * 60 + (0.0 if keep == 0.5 else keep * 60))
    assert run.manifest["cost"]["image_forwards"] == pytest.approx(expected, rel=0.1)
