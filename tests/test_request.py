"""An audit request: the same object from the command line, the demonstration and the app, and one way to a run."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from core.applications.registry import APPLICATIONS
from core.arguments import audit_request
from core.cli import _parser
from core.datasets import Dataset, ingest, load_dataset
from core.demonstration import BESIDE, IMAGES, SAMPLE, demonstration
from core.errors import InputError, RunError
from core.methods import METHODS
from core.methods.presets import EFFORTS
from core.models.listing import DEFAULT
from core.request import AuditRequest, NoTextError, applications_at, begin, methods_at, plan_of, trust_at
from core.runs import MethodPlan, ModelSpec, TextPlan, TrustPlan, load_plan
from core.settings import ROOT
from tests.audit.small import draw_images

PROMPTS = TextPlan(prompts=("a drawing",))
RAW = (MethodPlan(name="raw"),)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn")
    draw_images(folder, 5)
    return folder


@pytest.fixture(scope="module")
def stored(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A dataset as the app keeps it."""
    return ingest([images], store=tmp_path_factory.mktemp("home") / "datasets")


def asked(*arguments: str) -> AuditRequest:
    """What the arguments of `audit` ask for."""
    return audit_request(_parser().parse_args(["audit", *arguments]))


# -- one object --------------------------------------------------------------------------------------------------


def test_the_command_line_can_ask_for_what_the_demonstration_asks_for(tmp_path: Path) -> None:
    *others, last = demonstration(tmp_path, "quick")
    assert last.compare_with == (others[0].out,)
    sample = ["--images", str(SAMPLE / "images"), "--table", str(SAMPLE / "captions.csv"), "--classes"]
    same = [*sample, str(SAMPLE / "classes.txt"), "--effort", "quick", "--preparer", "Loupe demo"]
    same += ["--provenance", last.declared.provenance, "--licence", last.declared.licence]
    declared = ["--purpose", last.declared.purpose, "--title", last.declared.title]
    few = ["--methods", named(last.methods), "--applications", named(last.applications)]
    assert asked(*same, *declared, *few, "--model", DEFAULT, "--out", str(tmp_path)) == last.model_copy(
        update={"compare_with": ()}
    )
    other, methods = others
    declared[-1] = methods.declared.title
    few = ["--model", DEFAULT, "--applications", named(methods.applications), "--limit", str(BESIDE)]
    assert asked(*same, *declared, *few, "--out", str(methods.out)) == methods
    names = ",".join(part.name for part in other.methods)
    few = ["--model", "demo-vit", "--methods", names, "--applications", "segmentation", "--limit", str(BESIDE)]
    declared[-1] = other.declared.title
    assert asked(*same, *declared, *few, "--out", str(other.out)) == other
    assert asked(*same, *declared, *few, "--out", str(other.out), "--seed", "1") != other


def named(parts: Iterable[Any]) -> str:
    return ",".join(part.name for part in parts)


def test_the_demonstration_runs_everything_on_the_default_model(tmp_path: Path) -> None:
    *others, methods, last = demonstration(tmp_path, "quick")
    assert last.model.name == methods.model.name == DEFAULT
    assert last.limit is None and len(list((SAMPLE / "images").iterdir())) == IMAGES
    assert {part.name for part in last.methods} <= {part.name for part in methods.methods}
    assert [part.name for part in methods.methods] == [info.name for info in METHODS.values() if not info.opt_in]
    assert sorted(part.name for part in (*last.applications, *methods.applications)) == sorted(APPLICATIONS)
    shared = {name for name, info in METHODS.items() if info.representative}
    assert shared and all(shared <= {part.name for part in other.methods} for other in others)
    assert all(other.limit == BESIDE for other in (*others, methods))


def test_the_sample_has_enough_images_of_every_class() -> None:
    """Rules on classes need eight images, all of different scenes and each with its author and licence."""
    with (SAMPLE / "captions.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    files = {path.name for path in (SAMPLE / "images").iterdir()}
    assert {row["image"] for row in rows} == files and len(rows) >= 60
    counts = Counter(row["class"] for row in rows)
    assert set(counts) == set((SAMPLE / "classes.txt").read_text().splitlines()) and min(counts.values()) >= 8
    with (SAMPLE / "CREDITS.csv").open(newline="", encoding="utf-8") as file:
        credits = {row["image"]: row for row in csv.DictReader(file)}
    assert set(credits) == files
    assert all(row[part] for row in credits.values() for part in ("author", "source", "licence", "licence_url"))
    third = (ROOT / "THIRD_PARTY.md").read_text(encoding="utf-8")
    assert all(f"| `{name}` |" in third for name in files)


def test_a_request_cannot_be_changed_and_knows_its_parts(tmp_path: Path) -> None:
    request = AuditRequest.build(out=tmp_path, images=(tmp_path,), methods=RAW)
    with pytest.raises(ValidationError, match="frozen"):
        request.seed = 1  # type: ignore[misc]
    for parts, line in (
        ({"images": (tmp_path,), "sead": 1}, "sead: Extra inputs are not permitted"),
        ({"images": (tmp_path,), "limit": 0}, "limit: Input should be greater than or equal to 1"),
        ({"images": (tmp_path,), "fail_on": "some"}, "fail_on: Input should be 'low', 'medium' or 'high'"),
        (
            {"images": (tmp_path,), "texts": {"templates": ("x",)}},
            "texts.templates: template 'x' must contain exactly one",
        ),
        ({}, "images: give files to take in, or a stored dataset"),
        ({"images": (tmp_path,), "dataset": tmp_path}, "images: give files to take in, or a stored dataset"),
        ({"dataset": tmp_path, "table": tmp_path}, "dataset: a stored dataset has its table"),
    ):
        with pytest.raises(InputError) as caught:
            AuditRequest.build(out=tmp_path, **parts)
        assert str(caught.value).startswith(line) and "\n" not in str(caught.value)


def test_an_effort_fills_in_what_is_not_given() -> None:
    quick = EFFORTS["quick"]
    (rise, raw) = methods_at("quick", ["rise", "raw"], {"rise": {"cells": 4}})
    assert rise.options == {**quick.of("rise"), "cells": 4} and raw.options == {}
    assert methods_at("quick", ["rise"], {"rise": {"masks": 9}})[0].options == {"masks": 9}
    assert methods_at("quick", []) == () and applications_at("quick", []) == ()
    assert trust_at("quick") == TrustPlan(steps=quick.steps, coalitions=quick.coalitions, again=quick.again)
    assert trust_at("thorough", again=()).again == ()
    with pytest.raises(InputError, match="no method is called 'ras'"):
        methods_at("quick", ["ras"])
    with pytest.raises(InputError, match=r"rise: option 'masks'"):
        methods_at("quick", ["rise"], {"rise": {"masks": 0}})
    with pytest.raises(InputError, match="no application is called"):
        applications_at("quick", ["segmentatoin"])
    with pytest.raises(InputError, match="steps"):
        trust_at("quick", steps=1)


# -- to a run ----------------------------------------------------------------------------------------------------


def on(dataset: Dataset, out: Path, **parts: Any) -> AuditRequest:
    return AuditRequest.build(**{"out": out, "dataset": dataset.root, "methods": RAW, "texts": PROMPTS} | parts)


def test_a_stored_dataset_is_named_from_the_run(stored: Dataset, tmp_path: Path) -> None:
    run = begin(on(stored, stored.root.parents[1] / "runs" / "one"))
    assert run.plan.dataset_root == f"../../datasets/{stored.root.name}"
    assert run.dataset.id == stored.id and run.plan == plan_of(on(stored, run.folder), stored)
    assert run.progress().state == "planned" and run.results().empty


def test_images_are_taken_in_beside_the_plan(images: Path, tmp_path: Path) -> None:
    run = begin(AuditRequest.build(out=tmp_path / "run", images=(images,), methods=RAW, texts=PROMPTS, limit=2))
    assert run.plan.dataset_root == f"dataset/{run.dataset.id}"
    assert len(run.plan.images) == 2 and set(run.plan.images) <= {image.id for image in run.dataset.images}
    assert load_dataset(tmp_path / "run" / "dataset" / run.dataset.id).id == run.dataset.id


def test_a_limit_draws_images_by_the_seed_and_not_by_name(stored: Dataset, tmp_path: Path) -> None:
    names = [image.id for image in stored.images]

    def drawn(limit: int | None, seed: int) -> list[int]:
        plan = plan_of(on(stored, tmp_path, limit=limit, seed=seed), stored)
        return [names.index(image) for image in plan.images]

    assert drawn(None, 0) == drawn(9, 3) == [0, 1, 2, 3, 4]
    several = [drawn(2, seed) for seed in range(16)]
    assert several == [drawn(2, seed) for seed in range(16)] and all(len(part) == 2 for part in several)
    assert {at for part in several for at in part} == {0, 1, 2, 3, 4}
    assert all(part == sorted(part) for part in several)


def test_a_limit_takes_some_of_each_class(stored: Dataset, tmp_path: Path) -> None:
    labels = ["cat", "cat", "cat", "dog", "dog"]
    images = [
        image.model_copy(update={"metadata": {"label": label}})
        for image, label in zip(stored.images, labels, strict=True)
    ]
    labelled = stored.model_copy(update={"images": tuple(images), "columns": ("label",)})
    for seed in range(6):
        plan = plan_of(on(stored, tmp_path, limit=4, seed=seed), labelled)
        chosen = [label for image, label in zip(images, labels, strict=True) if image.id in plan.images]
        assert chosen.count("cat") == chosen.count("dog") == 2


def test_without_a_text_there_is_nothing_to_explain(stored: Dataset, tmp_path: Path) -> None:
    classes = TextPlan(captions=False, classes=("dog",))
    for texts, has in (
        (TextPlan(captions=False), False),
        (PROMPTS, True),
        (classes, True),
        (classes.model_copy(update={"top_classes": 0}), False),
        (TextPlan(), any(image.captions for image in stored.images)),
    ):
        request = on(stored, tmp_path / "run", texts=texts)
        if has:
            assert plan_of(request, stored).texts == texts
            continue
        with pytest.raises(NoTextError, match="there is no text to explain"):
            begin(request)
    assert not (tmp_path / "run").exists()
    with pytest.raises(InputError, match="there is nothing to do"):
        plan_of(on(stored, tmp_path, methods=()), stored)
    some = {"methods": (), "applications": applications_at("quick", ["concepts"]), "texts": TextPlan(captions=False)}
    assert plan_of(on(stored, tmp_path, **some), stored).methods == ()


def test_the_level_that_fails_is_recorded_for_the_exports(stored: Dataset, tmp_path: Path) -> None:
    assert "fail_on" not in begin(on(stored, tmp_path / "run")).manifest
    assert begin(on(stored, tmp_path / "run", fail_on="high")).manifest["fail_on"] == "high"
    assert begin(on(stored, tmp_path / "run")).manifest["fail_on"] is None


def test_another_run_is_named_from_this_one_and_must_exist(stored: Dataset, tmp_path: Path) -> None:
    other = begin(on(stored, tmp_path / "other", model=ModelSpec(name="demo-vit")))
    run = begin(on(stored, tmp_path / "deep" / "run", compare_with=(other.folder,)))
    assert run.manifest["compare_with"] == ["../../other"]
    assert begin(on(stored, run.folder)).manifest["compare_with"] == []
    with pytest.raises(RunError, match="is not a run directory"):
        begin(on(stored, tmp_path / "new", compare_with=(tmp_path / "nowhere",)))
    assert not (tmp_path / "new").exists()


def test_a_stored_plan_is_repeated_on_its_own_images_or_on_others(
    stored: Dataset, images: Path, tmp_path: Path
) -> None:
    first = begin(on(stored, tmp_path / "first", limit=2, seed=3, trust=trust_at("quick", curves=False)))
    path = str(first.folder / "plan.json")
    again = begin(asked("--plan", path, "--images", str(images), "--out", str(tmp_path / "again")))
    assert again.plan.images == first.plan.images and again.plan.digest == first.plan.digest
    few = tmp_path / "few"
    draw_images(few, 1)
    other = begin(asked("--plan", path, "--images", str(few), "--out", str(tmp_path / "third")))
    assert len(other.plan.images) == 1 and other.plan.seed == 3
    assert load_plan(other.folder / "plan.json").trust == first.plan.trust
    with pytest.raises(InputError, match="already defines the audit; leave out --seed"):
        asked("--plan", path, "--images", str(images), "--out", str(tmp_path / "x"), "--seed", "4")


def test_thresholds_are_kept_with_the_run_and_hashed_into_its_plan(
    stored: Dataset, images: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own.toml"
    own.write_text('version = "mine"\n')
    run = begin(on(stored, tmp_path / "run", thresholds=own))
    assert 'version = "mine"' in (run.folder / "thresholds.toml").read_text()
    assert run.plan.thresholds and not begin(on(stored, tmp_path / "plain")).plan.thresholds
    again = asked("--plan", str(run.folder / "plan.json"), "--images", str(images), "--out", str(tmp_path / "again"))
    assert again.thresholds == run.folder / "thresholds.toml"
    (run.folder / "thresholds.toml").unlink()
    with pytest.raises(InputError, match="was judged by its own thresholds file"):
        asked("--plan", str(run.folder / "plan.json"), "--images", str(images), "--out", str(tmp_path / "again"))
