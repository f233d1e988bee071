"""A pair of ONNX towers is the model that it was exported from, for everything that needs embeddings alone."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks.capabilities import attributed, refusal
from benchmarks.support.hub_models import TEXTS, Saved, save_clip, save_siglip
from benchmarks.support.onnx_export import export
from benchmarks.support.tiny import sample_images, write_model
from core import load_model
from core.methods import METHODS
from core.models.image_tower import OpaqueTower
from core.models.model import Model
from core.models.randomised import Randomised
from core.models.words import word_groups
from tests.support.refusals import refusal as line_of

# The methods that issue no gradient; what they are called is on their cards.
FREE = tuple(
    info.name for info in METHODS.values() if set(info.needs) <= {"embeddings", "text_words"} and "image" in info.sides
)
TOLERANCE, WRONG = 1e-4, 1e-3


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    return save_clip(tmp_path_factory.mktemp("torch") / "clip")


@pytest.fixture(scope="module")
def source(saved: Saved) -> Model:
    return load_model(saved.folder, device="cpu")


@pytest.fixture(scope="module")
def folder(saved: Saved, source: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Don't change it."""
    return export(source, saved.folder, tmp_path_factory.mktemp("onnx") / "clip")


@pytest.fixture(scope="module")
def pair(folder: Path) -> Model:
    return load_model(folder)


def test_embeddings_are_those_of_the_model_that_was_exported(source: Model, pair: Model) -> None:
    given = sample_images(3)
    pixels = source.preprocess(given)[0]
    assert torch.equal(pixels, pair.preprocess(given)[0])
    images = source.embed_images(pixels)
    assert float((pair.embed_images(pixels) - images).abs().max()) <= TOLERANCE
    assert float((pair.embed_images(pixels.flip(0)) - images).abs().max()) > WRONG
    assert torch.equal(pair.text.full(TEXTS), source.text.full(TEXTS))
    texts = source.embed_texts(TEXTS)
    assert float((pair.embed_texts(TEXTS) - texts).abs().max()) <= TOLERANCE
    assert float((pair.embed_texts(TEXTS[::-1]) - texts).abs().max()) > WRONG


def test_siglip_likewise(tmp_path: Path) -> None:
    saved = save_siglip(tmp_path / "siglip")
    source = load_model(saved.folder, device="cpu")
    pair = load_model(export(source, saved.folder, tmp_path / "pair"))
    pixels = source.preprocess(sample_images(2))[0]
    assert float((pair.embed_images(pixels) - source.embed_images(pixels)).abs().max()) <= TOLERANCE
    assert float((pair.embed_texts(TEXTS) - source.embed_texts(TEXTS)).abs().max()) <= TOLERANCE


def test_a_pair_beside_an_open_clip_configuration(tmp_path: Path) -> None:
    config, weights = write_model(tmp_path, "vit_quick")
    source = load_model(config, weights=weights, device="cpu")
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(config, home / "open_clip_config.json")
    pair = load_model(export(source, home, tmp_path / "pair", names=("onnx/vision_model.onnx", "onnx/text_model.onnx")))
    pixels = source.preprocess(sample_images(2))[0]
    assert float((pair.embed_images(pixels) - source.embed_images(pixels)).abs().max()) <= TOLERANCE
    assert float((pair.embed_texts(["a red bird"]) - source.embed_texts(["a red bird"])).abs().max()) <= TOLERANCE
    ours, theirs = (word_groups(model.text, model.text.tokenize(["a red bird!"])[0]) for model in (pair, source))
    assert ours == theirs and [word for word, _ in ours] == ["a", "red", "bird", "!"]


@pytest.mark.parametrize("name", FREE)
def test_maps_without_a_gradient_are_those_of_the_model_that_was_exported(
    name: str, source: Model, pair: Model
) -> None:
    info = METHODS[name]
    pixels = source.preprocess(sample_images(1))[0]
    # The same network as a black box; where patches are hidden by a colour, the network as it is, too.
    references = [(replace(source, image=OpaqueTower(source.net.visual)), {})]
    removal = info.options.get("removal")
    if removal is not None and removal.default == "auto":
        references.append((source, {"removal": "mean"}))
    for reference, options in references:
        for side in info.sides:
            found = attributed(pair, pixels, info, side, **options)
            expected = attributed(reference, pixels, info, side, **options)
            assert (found.image is None, found.text is None) == (side != "image", side != "text")
            for ours, theirs in ((found.image, expected.image), (found.text, expected.text)):
                if ours is None or theirs is None:
                    continue
                ours, theirs = torch.as_tensor(ours), torch.as_tensor(theirs)
                assert float((ours - theirs).abs().max()) <= TOLERANCE
                assert float((ours.flip(-1) - theirs).abs().max()) > 0


def test_the_methods_that_run_are_the_ones_without_a_gradient(pair: Model) -> None:
    assert pair.capabilities == {"embeddings", "text_words"}
    assert {"rise", "kernel_shap", "lime", "occlusion", "fixlip", "convis"} <= set(FREE)
    for info in METHODS.values():
        reasons = info.reasons(pair.capabilities)
        for side, reason in reasons.items():
            # Whoever's needs are met is served, and whoever needs more is refused by the card.
            if reason is None:
                assert refusal(pair, info, side) is None, (info.name, side)
            elif side == "image":
                assert info.name not in FREE


def test_weights_cannot_be_drawn_anew(pair: Model) -> None:
    copy = Randomised(pair)
    assert not copy.possible and list(copy.cascade(torch.Generator())) == []
    assert copy.text(torch.Generator()) is None


def test_the_pair_is_described(pair: Model, source: Model, folder: Path) -> None:
    told = pair.describe()
    assert told["recognised"]["kind"] == "a pair of ONNX towers of CLIPModel"
    assert (told["recognised"]["image_pooling"], told["recognised"]["image_activation"]) == ("not known", "by Sigmoid")
    assert told["recognised"]["context_length"] == 20 and told["logit_scale"] == pytest.approx(100)
    assert any("logit scale" in note for note in told["recognised"]["notes"])
    # Constants of the graph count as well.
    assert 0 <= told["parameters"] - source.describe()["parameters"] < 2000
    assert load_model(folder).digest == pair.digest
    assert load_model(folder / "visual.onnx", weights=folder / "textual.onnx").digest == pair.digest


def test_a_fixed_number_of_images_and_texts(saved: Saved, source: Model, tmp_path: Path) -> None:
    pair = load_model(export(source, saved.folder, tmp_path / "fixed", batch=2))
    pixels = source.preprocess(sample_images(3))[0]
    assert float((pair.embed_images(pixels) - source.embed_images(pixels)).abs().max()) <= TOLERANCE
    assert float((pair.embed_texts(TEXTS[:3]) - source.embed_texts(TEXTS[:3])).abs().max()) <= TOLERANCE


# -- what is refused ----------------------------------------------------------------------------------------------


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "pair"))


def test_one_tower_or_another_folder_is_refused_in_one_line(copy: Path, saved: Saved) -> None:
    assert "name the text tower" in line_of(copy / "visual.onnx")
    (copy / "textual.onnx").rename(copy / "words.onnx")
    assert "visual.onnx and textual.onnx" in line_of(copy)
    assert "is not a text tower" in line_of(copy / "visual.onnx", weights=copy / "visual.onnx")
    assert "is not an image tower" in line_of(copy / "words.onnx", weights=copy / "words.onnx")
    (copy / "config.json").unlink()
    assert "neither open_clip_config.json nor config.json" in line_of(copy / "visual.onnx", weights=copy / "words.onnx")


def test_weights_of_a_network_come_first(copy: Path, saved: Saved, source: Model) -> None:
    shutil.copy(saved.folder / "model.safetensors", copy)
    assert load_model(copy, device="cpu").digest == source.digest


@pytest.mark.parametrize("at", [0, 10, 1000, -10])
def test_a_damaged_file_is_refused_in_one_line(copy: Path, at: int) -> None:
    data = (copy / "visual.onnx").read_bytes()
    (copy / "visual.onnx").write_bytes(data[:at])
    assert line_of(copy)


def test_another_device_is_refused(copy: Path) -> None:
    assert "runs on the CPU" in line_of(copy, device="meta")
