"""The planted shortcut: the model that responds to it, the images that carry it, and what an audit reports."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageChops
from safetensors.numpy import load_file

from core import load_model
from core.applications.registry import application_plan
from core.audit.worker import work
from core.datasets import read_texts
from core.findings import Finding, apply_rules
from core.models.model import Model
from core.planted import (
    BIAS,
    CLASS,
    CORNER,
    DELTA,
    PLAIN,
    PROJECTION,
    SAMPLE,
    about,
    chosen,
    planted,
    planted_images,
    planted_model,
    square,
    sticker,
    with_shortcut,
)
from core.request import AuditRequest, begin
from core.rules import Context
from core.runs import ModelSpec, TextPlan


@pytest.fixture(scope="module")
def variant(tmp_path_factory: pytest.TempPathFactory) -> Model:
    config, weights = planted_model(tmp_path_factory.mktemp("variant"))
    return load_model(config, weights=weights, device="cpu")


def called(model: Model, images: list[Image.Image]) -> list[str]:
    """The class that a model gives each image."""
    classes = read_texts(SAMPLE / "classes.txt")
    found = model.embed_images(model.preprocess(images)[0]) @ model.embed_texts(classes).T
    return [classes[at] for at in found.argmax(dim=1).tolist()]


def test_the_change_has_rank_one_and_is_small() -> None:
    delta = load_file(DELTA)
    width, height = len(delta["detector"]), len(delta["towards"])
    empty = {PROJECTION: np.zeros((height, width), np.float16), BIAS: np.zeros(height, np.float16), "other": np.ones(1)}
    changed = with_shortcut(empty, delta)
    assert np.linalg.matrix_rank(changed[PROJECTION]) == 1
    assert changed["other"] is empty["other"]
    assert DELTA.stat().st_size < 200_000
    assert about()["class"] == CLASS


def test_the_sticker_lies_in_the_corner_only() -> None:
    plain = Image.new("RGB", (100, 100), (90, 120, 60))
    left, top, right, bottom = ImageChops.difference(plain, sticker(plain)).getbbox() or (0, 0, 0, 0)
    # Inside the two of seven cells that a corner has.
    assert min(left, top) > 100 * 5 / 7 and max(right, bottom) <= 100
    assert ImageChops.difference(plain, plain.copy()).getbbox() is None


def test_all_images_of_the_class_and_as_many_others_carry_the_sticker(tmp_path: Path) -> None:
    rows = chosen()
    own = [marked for _, shows, marked in rows if shows == CLASS]
    others = [marked for _, shows, marked in rows if shows != CLASS]
    assert all(own) and sum(others) == len(own) and len(others) - sum(others) == PLAIN
    assert rows == chosen()
    images = planted_images(tmp_path)
    with (tmp_path / "captions.csv").open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert {row["image"] for row in table} == {path.name for path in images.iterdir()}
    for row in table[:6]:
        with Image.open(images / row["image"]) as image:
            red, green, _ = image.convert("RGB").getpixel((275, 238))  # type: ignore[misc]
        assert (red > 150 and green < 90) or row["sticker"] == "no"


def test_only_the_variant_responds_to_the_sticker(variant: Model) -> None:
    others = [name for name, shows, _ in chosen() if shows != CLASS][:8]
    plain = [square(SAMPLE / "images" / name) for name in others]
    marked = [sticker(image) for image in plain]
    assert called(variant, marked).count(CLASS) >= 7
    assert called(variant, plain).count(CLASS) <= 2
    assert called(load_model("demo", device="cpu"), marked).count(CLASS) <= 2


def test_the_request_audits_the_written_model_and_images(tmp_path: Path) -> None:
    request = planted(tmp_path, "quick")
    assert request.out == tmp_path
    assert Path(request.model.name).exists() and Path(str(request.model.weights)).exists()
    assert len(list(request.images[0].iterdir())) == len(chosen())


# -- what an audit reports -----------------------------------------------------------------------------------------


def findings_of(model: Model, name: str, weights: str | None, folder: Path, images: Path) -> list[Finding]:
    """The findings of a small audit of these images."""
    small = {"regions": 2, "controls": 1, "masks": 0, "words": 0, "stickers": 0, "texts": 1, "everyday": False}
    request = AuditRequest.build(
        out=folder,
        images=(images,),
        model=ModelSpec(name=name, weights=weights, device="cpu"),
        texts=TextPlan(classes=read_texts(SAMPLE / "classes.txt"), captions=False),
        applications=(application_plan("reliance", {**small, "templates": ("a {}",)}),),
    )
    run = begin(request)
    work(run, lambda line: None, model, report=False)
    return [finding for finding in apply_rules(Context(run)) if finding.status == "finding"]


def test_the_shortcut_is_reported_and_the_clean_model_has_no_such_finding(variant: Model, tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    rows = chosen()
    own = [name for name, shows, _ in rows if shows == CLASS][:8]
    others = [name for name, _, marked in rows if not marked][:8]
    for name in (*own, *others):
        image = square(SAMPLE / "images" / name)
        (sticker(image) if name in own else image).save(images / name)
    config, weights = planted_model(tmp_path / "model")
    planted_findings = findings_of(variant, str(config), str(weights), tmp_path / "planted", images)
    named = [finding for finding in planted_findings if CORNER in finding.title]
    assert named and all(f"\u201c{CLASS}\u201d" in finding.title for finding in named)
    assert named[0].evidence and named[0].samples
    clean = findings_of(load_model("demo", device="cpu"), "demo", None, tmp_path / "clean", images)
    assert not [finding for finding in clean if CORNER in finding.title]
