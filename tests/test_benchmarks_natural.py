"""The sets of the benchmark on photographs: what is planted is there, and only there; and what its tables say."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import natural
from benchmarks.photographs import flaws
from benchmarks.photographs.flaws import FLAWS, flawed
from benchmarks.photographs.sets import Captioned, captioned, leading_classes, opened, saved, write_set
from benchmarks.photographs.verdicts import estimate, verdicts
from core.datasets import ingest
from core.findings import Finding, Number, every_rule

COUNT = 20


def photograph(seed: int, side: int = 60) -> Image.Image:
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 256, (6, 6, 3), dtype=np.uint8))
    return coarse.resize((side, side), Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder of captioned images as COCO has them, and one of images of another kind."""
    folder = tmp_path_factory.mktemp("photographs")
    images, xrays = folder / "coco", folder / "xrays"
    record: dict[str, list[dict[str, object]]] = {"images": [], "captions": [], "annotations": [], "categories": []}
    record["categories"] = [{"id": at, "name": name} for at, name in enumerate(("cat", "dog", "emu"))]
    for each in (images, xrays):
        (each / "images").mkdir(parents=True)
    for at in range(COUNT + 4):
        name = f"{at:06}.jpg"
        (images / "images" / name).write_bytes(saved(photograph(at)))
        record["images"].append({"id": at, "file_name": name})
        record["annotations"].append({"image_id": at, "category_id": 1 if at % 3 else 0, "area": 9.0})
        record["annotations"].append({"image_id": at, "category_id": 2, "area": 5.0})
        if at < COUNT + 2:
            record["captions"].append({"id": 2 * at, "image_id": at, "caption": f"image {at} "})
            record["captions"].append({"id": 2 * at + 1, "image_id": at, "caption": "another"})
    for at in range(8):
        Image.new("L", (50, 50), 20 * at).save(xrays / "images" / f"xray_{at}.jpg")
    (images / "annotations.json").write_text(json.dumps(record))
    return images, xrays


@pytest.fixture(scope="module")
def pair(folders: tuple[Path, Path]) -> tuple[Captioned, Captioned]:
    clean = captioned(folders[0], COUNT, 2, seed=3)
    return clean, flawed(clean, folders[1], seed=3)


def test_a_clean_set_holds_captioned_images_as_they_are(
    folders: tuple[Path, Path], pair: tuple[Captioned, ...]
) -> None:
    clean, _ = pair
    assert len(clean.files) == COUNT and clean.classes == ("dog", "cat")
    assert all(text == f"image {int(name[:6])}" for name, text in clean.captions.items())
    assert all(content == (folders[0] / "images" / name).read_bytes() for name, content in clean.files.items())
    assert len(clean.night) == round(COUNT / 3)
    assert captioned(folders[0], COUNT, 2, seed=3) == clean != captioned(folders[0], COUNT, 2, seed=4)
    with pytest.raises(ValueError, match="22 images have captions; 23 are needed"):
        captioned(folders[0], 23, 2, seed=3)


def test_classes_are_those_that_lead_the_most_images() -> None:
    record = {"categories": [{"id": 0, "name": "cat"}, {"id": 1, "name": "dog"}]}
    # Two small dogs cover more than one cat; without their sum the cat would lead.
    parts = [(7, 0, 5.0), (7, 1, 3.0), (7, 1, 3.0), (8, 1, 1.0), (9, 0, 1.0)]
    record["annotations"] = [{"image_id": at, "category_id": of, "area": area} for at, of, area in parts]
    assert leading_classes(record, {7, 8, 9}, 1) == ("dog",)
    assert leading_classes(record, {9}, 2) == ("cat",)


def test_every_flaw_is_planted_and_nothing_else_changes(pair: tuple[Captioned, Captioned]) -> None:
    clean, made = pair
    moved = {name for name in clean.captions if made.captions[name] != clean.captions[name]}
    assert len(moved) == round(flaws.EXCHANGED * COUNT) and sorted(made.captions[name] for name in moved) == sorted(
        clean.captions[name] for name in moved
    )
    for name, content in clean.files.items():
        if name in clean.night:
            dark, light = (np.asarray(opened(one.files[name]), float) for one in (made, clean))
            assert dark.mean() == pytest.approx(flaws.DARKER * light.mean(), rel=0.05)
            assert np.abs(np.diff(dark)).mean() < flaws.DARKER * np.abs(np.diff(light)).mean()
        else:
            assert made.files[name] == content
    added = set(made.files) - set(clean.files)
    strangers = {name for name in added if name.startswith("xray")}
    copies = {name for name in added if name.startswith("img")}
    assert len(strangers) == flaws.XRAYS and len(copies) == flaws.COPIES and len(added) == 15
    assert not strangers & set(made.captions) and copies < set(made.captions)
    for copy in copies:
        source = next(name for name in clean.files if made.captions[name] == made.captions[copy])
        small = [np.asarray(opened(made.files[name]).resize((16, 16)), float) for name in (copy, source)]
        assert np.corrcoef(small[0].ravel(), small[1].ravel())[0, 1] > 0.9


def test_a_set_is_taken_in_with_its_captions_and_its_column(pair: tuple[Captioned, Captioned], tmp_path: Path) -> None:
    for made, refused in zip(pair, (0, 3), strict=True):
        folder = tmp_path / str(refused)
        images = write_set(made, folder / "images")
        dataset = ingest([images], table=folder / "captions.csv", store=folder / "data")
        assert len(dataset.images) == len(made.files) - refused
        assert (len(dataset.refusals) >= 3) if refused else not dataset.refusals
        night = {image.name for image in dataset.images if image.metadata["light"] == "night"}
        assert night == made.night
        assert (folder / "classes.txt").read_text() == "dog\ncat\n"


def test_the_rules_of_the_flaws_exist() -> None:
    known = {rule.id for rule in every_rule()}
    assert {name for flaw in FLAWS for name in flaw.rules} <= known


def finding(rule: str, status: str, subject: str = "data") -> Finding:
    number = Number(name="share", value=0.2, low=0.1, high=0.3, n=9)
    parts = {"id": rule, "rule": rule, "subject": subject, "title": rule, "status": status, "severity": "low"}
    return Finding(**parts, condition="", criterion="", threshold="", n=9, evidence=(number,))


def test_the_table_sets_verdicts_side_by_side() -> None:
    findings = {
        "clean": [finding("data.outliers", "passed"), finding("trust.controls", "finding", "explanations")],
        "flawed": [finding("data.outliers", "finding"), finding("data.outliers", "passed")],
    }
    told = verdicts(findings)
    assert "| `data.outliers` | passed | share: 0.20 [0.10, 0.30] | 9 images | finding |" in told
    assert "trust.controls" not in told
    assert estimate(findings["clean"][0].model_copy(update={"evidence": ()})) == "none"


def test_a_failed_audit_ends_the_benchmark(
    pair: tuple[Captioned, Captioned], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(natural.cli, "main", lambda typed: 1)
    with pytest.raises(SystemExit, match="clean: the audit ended with code 1"):
        natural.audited(pair[0], tmp_path / "clean", [])


def test_saved_images_are_jpeg() -> None:
    assert Image.open(io.BytesIO(saved(photograph(0)))).format == "JPEG"
