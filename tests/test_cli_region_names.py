"""The command that names a region of an image."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.attribution.contract import Work
from core.attribution.mask_inversion import invert, region_shares
from core.cli import main
from core.models.loading import load_model
from core.models.trunk import ImageTrunk, TextTrunk
from tests.audit.small import draw_images, save_model

TEXTS = ("a red square", "a blue sky", "two dogs")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_images(tmp_path_factory.mktemp("images") / "drawn", 1) / "drawn-0.png"


def asked(config: Path, image: Path, *more: str) -> list[str]:
    named = [part for text in TEXTS for part in ("--text", text)]
    return ["name-region", str(image), *named, "--model", str(config), "--weights",
            str(config.parent / "weights.safetensors"), "--device", "cpu", *more]  # fmt: skip


def test_names_are_those_of_the_learned_embedding_best_first(
    config: Path, image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Image.open(image) as file:
        opened = file.convert("RGB")
    width, height = opened.size
    mask = np.zeros((height, width), dtype=bool)
    mask[: height // 2, : width // 2] = True
    Image.fromarray(mask).save(tmp_path / "mask.png")
    assert main(asked(config, image, "--mask", str(tmp_path / "mask.png"), "--steps", "3", "--json")) == 0
    by_mask = json.loads(capsys.readouterr().out)
    assert (
        main(asked(config, image, "--box", "0", "0", str(width // 2), str(height // 2), "--steps", "3", "--json")) == 0
    )
    assert json.loads(capsys.readouterr().out) == by_mask
    model = load_model(str(config), weights=str(config.parent / "weights.safetensors"))
    pixels, (geometry,) = model.preprocess([opened])
    work = Work(model, ImageTrunk(model, pixels), TextTrunk(model, list(TEXTS)))
    (found,) = invert(work, torch.as_tensor(region_shares(mask, geometry, work.images.grid()))[None], steps=3)
    assert by_mask["fit"] == pytest.approx(found.fit, abs=1e-6) and by_mask["fit_before"] == found.fit_before
    scores = {row["text"]: row["region"] for row in by_mask["names"]}
    assert [scores[text] for text in TEXTS] == pytest.approx(found.scores.tolist(), abs=1e-6)
    assert list(scores.values()) == sorted(scores.values(), reverse=True)
    assert by_mask["area"] == mask.mean() and by_mask["forwards"] > 1
    assert main(asked(config, image, "--box", "0", "0", "3", "3", "--steps", "3", "--json")) == 0
    assert json.loads(capsys.readouterr().out)["names"] != by_mask["names"]


def test_it_prints_a_table_and_the_fit(config: Path, image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(asked(config, image, "--box", "0", "0", "20", "20", "--steps", "2")) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["region", "image", "text"]
    assert {line[17:] for line in lines[1:4]} == set(TEXTS)
    assert lines[4].startswith("fit of map and region: 0.")


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ([], "give the region either as --mask"),
        (["--box", "0", "0", "5", "5", "--mask", "mask.png"], "give the region either as --mask"),
        (["--box", "5", "0", "5", "9"], "--box must be LEFT TOP RIGHT BOTTOM in pixels within the image"),
        (["--box", "0", "0", "9", "90000"], "--box must be LEFT TOP RIGHT BOTTOM in pixels within the image"),
        (["--mask", "missing.png"], "missing.png does not exist"),
        (["--mask", "black.png"], "black.png marks no region"),
        (["--mask", "small.png"], "the region is drawn on 17 x 18 pixels, but the image has"),
        (["--mask", "text.png"], "text.png"),
        (["--box", "0", "0", "9", "9", "--steps", "0"], "layers and steps must be at least 1"),
        (["--box", "0", "0", "9", "9", "--alpha", "nan"], "layers and steps must be at least 1"),
    ],
)
def test_wrong_regions_are_refused_in_one_line(
    config: Path, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    more: list[str], told: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    with Image.open(image) as file:
        size = file.size
    Image.new("L", size).save("black.png")
    Image.new("L", (17, 18), 255).save("small.png")
    (tmp_path / "text.png").write_text("no image")
    assert main(asked(config, image, *more)) == 2
    out, err = capsys.readouterr()
    assert out == "" and len(err.splitlines()) == 1 and told in err


def test_one_text_is_no_choice(config: Path, image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["name-region", str(image), "--text", "a dog", "--box", "0", "0", "5", "5", "--model", str(config)]
    assert main(given) == 2
    assert "give two or more texts" in capsys.readouterr().err
