"""Folders in the layout of transformers: shards, missing parts, and what is refused in one line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from benchmarks.support.hub_models import TEXTS, Saved, save_chinese_clip, save_clip, save_siglip
from benchmarks.support.tiny import sample_images, write_model
from core import load_model
from core.models.geometry import Preprocessing
from core.models.model import Model
from tests.support.refusals import refusal

Change = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """A CLIPModel. Don't change it."""
    return save_clip(tmp_path_factory.mktemp("sound") / "clip")


@pytest.fixture
def folder(clip: Saved, tmp_path: Path) -> Path:
    """A copy of its folder."""
    return Path(shutil.copytree(clip.folder, tmp_path / "model"))


def changed(folder: Path, file: str, change: Change) -> Path:
    """The folder with a changed JSON file."""
    path = folder / file
    values = json.loads(path.read_text()) if path.exists() else {}
    change(values)
    path.write_text(json.dumps(values))
    return folder


def part(name: str, **more: Any) -> Change:
    return lambda values: values[name].update(more)


def top(**more: Any) -> Change:
    return lambda values: values.update(more)


def notes(model: Model) -> list[str]:
    return list(model.describe()["recognised"]["notes"])


# -- what is accepted ---------------------------------------------------------------------------------------------


def test_shards_are_one_model(clip: Saved, folder: Path) -> None:
    whole = load_model(clip.folder)
    (folder / "model.safetensors").unlink()
    clip.model.save_pretrained(folder, max_shard_size="60KB")
    assert len(list(folder.glob("model-*.safetensors"))) > 2
    model = load_model(folder)
    assert model.digest == whole.digest
    assert model.weights_sha256 != whole.weights_sha256
    shard = sorted(folder.glob("model-*.safetensors"))[1]
    shard.rename(shard.with_name("elsewhere.safetensors"))
    assert shard.name in refusal(folder)


def test_a_pickle_of_tensors_and_the_configuration_alone_are_the_same_model(clip: Saved, folder: Path) -> None:
    whole = load_model(clip.folder).digest
    assert load_model(folder / "config.json", weights=folder / "model.safetensors").digest == whole
    (folder / "model.safetensors").unlink()
    torch.save(clip.model.state_dict(), folder / "pytorch_model.bin")
    assert load_model(folder).digest == whole
    torch.save({"state_dict": {f"module.{key}": value for key, value in clip.model.state_dict().items()}},
               folder / "pytorch_model.bin")  # fmt: skip
    assert load_model(f"local-dir:{folder}").digest == whole


def test_a_folder_of_both_layouts_is_read_as_open_clip_s(folder: Path, tmp_path: Path) -> None:
    config, weights = write_model(tmp_path, "vit_quick")
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": json.loads(config.read_text())}))
    (folder / "open_clip_model.safetensors").write_bytes(weights.read_bytes())
    assert load_model(folder).digest == load_model(config, weights=weights).digest


def test_the_image_processor_is_read_from_either_file(clip: Saved, folder: Path) -> None:
    from transformers import CLIPProcessor

    whole = load_model(clip.folder)
    assert (whole.preprocessing.mode, whole.preprocessing.resized) == ("shortest", 37)
    (folder / "preprocessor_config.json").unlink()
    CLIPProcessor(clip.images, clip.tokenizer).save_pretrained(folder)
    assert (folder / "processor_config.json").is_file()
    assert not (folder / "preprocessor_config.json").exists()
    model = load_model(folder)
    assert model.preprocessing == whole.preprocessing
    assert Preprocessing.from_dict(json.loads(json.dumps(model.preprocessing.as_dict()))) == model.preprocessing
    assert notes(model) == []


def test_without_an_image_processor_the_defaults_are_used_and_told(clip: Saved, folder: Path) -> None:
    (folder / "processor_config.json").unlink(missing_ok=True)
    (folder / "preprocessor_config.json").unlink(missing_ok=True)
    model = load_model(folder)
    assert (model.preprocessing.height, model.preprocessing.resized) == (32, None)
    (note,) = notes(model)
    assert "image processor" in note


@pytest.mark.parametrize(
    "options",
    [
        {"resample": 2},
        {"resample": 0},
        {"resample": 1},
        {"do_rescale": False},
        {"rescale_factor": 1 / 127.5, "image_mean": [1.0, 1.0, 1.0], "image_std": [0.5, 1.0, 2.0]},
        {"do_normalize": False},
        {"do_rescale": False, "do_normalize": False},
        {"size": {"height": 41, "width": 35}},
        {"size": {"shortest_edge": 29}},
        {"size": 32},
        {"do_resize": False},
        {"do_center_crop": False, "size": {"height": 32, "width": 32}},
        {"crop_size": 32},
        {"kind": "CLIPImageProcessorPil"},
        {"kind": "CLIPImageProcessorPil", "size": {"shortest_edge": 29}, "resample": 2},
        {"kind": "CLIPImageProcessorFast"},
    ],
)
def test_every_step_of_an_image_processor_is_applied(clip: Saved, folder: Path, options: dict[str, Any]) -> None:
    import transformers

    kind = options.pop("kind", "CLIPImageProcessor")
    (folder / "processor_config.json").unlink(missing_ok=True)
    given = {**clip.images.to_dict(), **options, "image_processor_type": kind}
    (folder / "preprocessor_config.json").write_text(json.dumps(given))
    theirs = transformers.AutoImageProcessor.from_pretrained(folder)
    # Whatever wrote the file, transformers reads it with torchvision.
    assert theirs.backend == "torchvision"
    model = load_model(folder)
    images = [*sample_images(4, seed=2), sample_images(1)[0].resize((33, 41)), sample_images(1)[0].resize((20, 27))]
    for image in images:
        wanted = theirs(image, return_tensors="pt").pixel_values[0].float()
        got, (geometry,) = model.preprocess(image)
        assert float((got[0] - wanted).abs().max()) <= 1e-5 * max(1.0, float(wanted.abs().max()))
        # The map back to the image is that of the same step.
        assert geometry.input_width == geometry.input_height == 32
        left, top_, right, bottom = geometry.seen()
        assert 0 <= left < right <= image.width
        assert 0 <= top_ < bottom <= image.height


@pytest.mark.skipif(find_spec("sentencepiece") is not None, reason="the class of the tokenizer can be used here")
def test_without_sentencepiece_the_tokenizer_of_siglip_is_its_tokenizer_json(tmp_path: Path) -> None:
    one = save_siglip(tmp_path / "siglip")
    changed(one.folder, "tokenizer_config.json", top(tokenizer_class="SiglipTokenizer"))
    model = load_model(one.folder)
    assert torch.equal(model.text.full(TEXTS), one.text_ids()["input_ids"])
    (note,) = notes(model)
    assert "tokenizer.json" in note
    (one.folder / "tokenizer.json").rename(one.folder / "spiece.model")
    assert "tokenizer of" in refusal(one.folder)


def test_a_text_longer_than_the_tower_is_cut_as_by_transformers(clip: Saved) -> None:
    model = load_model(clip.folder)
    assert model.text.truncated(TEXTS[-1])
    assert not model.text.truncated("a cat")
    assert model.describe()["recognised"]["context_length"] == 20


def test_what_was_recognised_is_described(clip: Saved, tmp_path: Path) -> None:
    found = load_model(clip.folder).describe()
    assert found["name"] == "clip"
    assert found["recognised"] == {
        "kind": "CLIPModel",
        "image_activation": "QuickGELU",
        "text_activation": "QuickGELU",
        "image_pooling": "class token",
        "text_pooling": "first end token (id 1)",
        "context_length": 20,
        "tokenizer": "CLIPTokenizer",
        "notes": [],
    }
    siglip = load_model(save_siglip(tmp_path / "siglip").folder).describe()["recognised"]
    assert siglip["kind"] == "SiglipModel"
    assert siglip["image_activation"] == siglip["text_activation"] == "GELU (tanh)"
    assert siglip["image_pooling"] == "attention pool"
    assert siglip["text_pooling"] == "last position, padding included"


def test_weights_of_transformers_fit_a_configuration_of_open_clip(clip: Saved, tmp_path: Path) -> None:
    config = tmp_path / "own.json"
    tower = {"width": 32, "heads": 4, "layers": 2, "mlp_ratio": 90.5 / 32}
    config.write_text(json.dumps({
        "embed_dim": 24, "quick_gelu": True,
        "vision_cfg": {"image_size": 32, "patch_size": 8, "width": 48, "head_width": 12, "layers": 2,
                       "mlp_ratio": 90.5 / 48},
        "text_cfg": {**tower, "context_length": 20, "vocab_size": len(clip.tokenizer), "pool_type": "eos", "eos_id": 1,
                     "hf_tokenizer_name": "words"},
    }))  # fmt: skip
    (tmp_path / "words").mkdir()
    for file in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(clip.folder / file, tmp_path / "words" / file)
    model, whole = load_model(config, weights=clip.folder / "model.safetensors"), load_model(clip.folder)
    assert model.digest == whole.digest
    (note,) = notes(model)
    assert "names of transformers" in note


# -- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (top(model_type="blip"), "'blip'"),
        (top(model_type="vision-text-dual-encoder"), "CLIPModel, SiglipModel"),
        (top(model_type=["clip"]), "a list of 1"),
        (top(model_type=None), "None"),
        (top(architectures=["CLIPTextModelWithProjection"]), "not a whole CLIPModel"),
        (top(architectures="CLIPModel"), "architectures"),
        (top(architectures=[{"a": 1}]), "architectures"),
        (top(auto_map={"AutoModel": "evil.Evil"}), "names code to run (auto_map)"),
        (part("text_config", auto_map={"AutoModel": "evil.Evil"}), "names code to run (auto_map)"),
        (part("vision_config", trust_remote_code=True), "names code to run (trust_remote_code)"),
        (top(quantization_config={"bits": 4}), "quantised"),
        (top(vision_config=[1]), "vision_config = a list of 1"),
        (top(text_config="x"), "text_config = 'x'"),
        (top(projection_dim=10**10), "projection_dim"),
        (part("vision_config", hidden_size=10**9), "hidden_size"),
        (part("vision_config", hidden_size=0), "hidden_size"),
        (part("vision_config", hidden_size=47), "not a multiple"),
        (part("vision_config", image_size=[32, 32]), "image_size"),
        (part("vision_config", image_size=10**9), "image_size"),
        (part("vision_config", patch_size=0), "patch_size"),
        (part("vision_config", patch_size=64), "larger than its image_size"),
        (part("vision_config", image_size=2048, patch_size=1), "patches"),
        (part("vision_config", num_channels=1), "num_channels"),
        (part("vision_config", num_hidden_layers=10**9), "num_hidden_layers"),
        (part("vision_config", num_hidden_layers=1), "does not fit"),
        (part("vision_config", hidden_act="evil"), "hidden_act"),
        (part("vision_config", hidden_act={"__class__": "os.system"}), "hidden_act"),
        (part("vision_config", layer_norm_eps=float("nan")), "NaN"),
        (part("text_config", num_attention_heads=5), "not a multiple"),
        (part("text_config", vocab_size=10**10), "vocab_size"),
        (part("text_config", max_position_embeddings=10**9), "max_position_embeddings"),
        (part("text_config", eos_token_id=[1, 2]), "eos_token_id"),
        (part("text_config", hidden_size=64), "does not fit"),
        (part("text_config", max_position_embeddings=24), "does not fit"),
    ],
)  # fmt: skip
def test_a_configuration_is_read_or_refused_in_one_line(folder: Path, change: Change, told: str) -> None:
    assert told in refusal(changed(folder, "config.json", change))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"auto_map": {"AutoImageProcessor": "evil.Evil"}}, "names code"),
        ({"do_pad": True}, "'do_pad'"),
        ({"do_flip_channel_order": True}, "'do_flip_channel_order'"),
        ({"image_mean": "abc"}, "image_mean"),
        ({"image_mean": [0.5]}, "image_mean"),
        ({"image_std": [0, 0, 0]}, "image_std"),
        ({"resample": 7}, "resample"),
        ({"resample": 4}, "resample"),
        ({"rescale_factor": 0}, "rescale_factor"),
        ({"size": {"longest_edge": 32}}, "size"),
        ({"size": {"shortest_edge": -1}}, "size"),
        ({"size": [32, 32]}, "size"),
        ({"crop_size": {"height": 32}}, "crop_size"),
        ({"crop_size": 48}, "48 x 48"),
        ({"do_center_crop": False}, "does not crop"),
        ({"do_center_crop": False, "do_resize": False}, "neither resizes nor crops"),
        ({"do_center_crop": False, "size": {"height": 48, "width": 32}}, "32 x 48"),
    ],
)  # fmt: skip
def test_an_image_processor_is_read_or_refused_in_one_line(
    clip: Saved, folder: Path, given: dict[str, Any], told: str
) -> None:
    for file in ("processor_config.json", "preprocessor_config.json"):
        (folder / "processor_config.json").unlink(missing_ok=True)
        (folder / "preprocessor_config.json").unlink(missing_ok=True)
        values = {**clip.images.to_dict(), **given}
        whole = {"image_processor": values} if file == "processor_config.json" else values
        (folder / file).write_text(json.dumps(whole))
        line = refusal(folder)
        assert told in line
        assert file in line


@pytest.mark.parametrize("content", [b"[]", b"{", b"\xff", b'{"image_processor": [1]}', b'{"image_processor": 3}'])
def test_an_image_processor_that_is_none_is_refused(folder: Path, content: bytes) -> None:
    (folder / "processor_config.json").write_bytes(content)
    if content == b"[]":
        (folder / "preprocessor_config.json").write_bytes(content)
    assert "processor_config.json" in refusal(folder)


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda state: state.pop("visual_projection.weight"), "nothing for visual.proj"),
        (lambda state: state.pop("text_model.encoder.layers.1.self_attn.k_proj.bias"), "no q, k and v"),
        (
            lambda state: state.update({"text_model.encoder.layers.1.self_attn.k_proj.bias": torch.zeros(7)}),
            "no q, k and v",
        ),
        (lambda state: state.update({"visual_projection.weight": torch.zeros(24)}), "a different shape"),
        (lambda state: state.update({"logit_scale": torch.zeros(2)}), "a different shape"),
        (lambda state: state.update({"vision_model.evil": torch.zeros(1)}), "an unknown vision_model.evil"),
        (lambda state: state.update({"vision_model.encoder.layers.99999999999.mlp.fc1.weight": torch.zeros(1)}),
         "an unknown"),
        (lambda state: state.update({"visual_projection.weight": torch.full((24, 48), torch.nan)}), "not finite"),
    ],
)  # fmt: skip
def test_weights_that_do_not_fit_are_refused_by_name(
    folder: Path, edit: Callable[[dict[str, torch.Tensor]], object], told: str
) -> None:
    state = load_file(str(folder / "model.safetensors"))
    edit(state)
    save_file(state, str(folder / "model.safetensors"))
    assert told in refusal(folder)


@pytest.mark.parametrize(
    ("index", "told"),
    [
        ({}, "no weight_map"),
        ([], "no weight_map"),
        ({"weight_map": []}, "no weight_map"),
        ({"weight_map": {}}, "no weight_map"),
        ({"weight_map": {"a": 3}}, "as a shard"),
        ({"weight_map": {"a": "../model.safetensors"}}, "as a shard"),
        ({"weight_map": {"a": "/etc/passwd"}}, "as a shard"),
        ({"weight_map": {"a": "evil.py"}}, "as a shard"),
        ({"weight_map": {"a": "none.safetensors"}}, "not beside it"),
        ({"weight_map": {"a": "a.safetensors", "b": "b.safetensors"}}, "two contain"),
    ],
)
def test_a_list_of_shards_names_files_beside_it(folder: Path, index: Any, told: str) -> None:
    whole = folder / "model.safetensors"
    shutil.copy(whole, folder / "a.safetensors")
    shutil.copy(whole, folder / "b.safetensors")
    whole.unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert told in refusal(folder)


def test_without_a_tokenizer_the_way_out_is_told(folder: Path) -> None:
    for file in ("tokenizer.json", "tokenizer_config.json"):
        (folder / file).unlink()
    assert "tokenizer.save_pretrained" in refusal(folder)


def test_a_tokenizer_of_another_padding_is_refused(folder: Path, tmp_path: Path) -> None:
    changed(folder, "tokenizer_config.json", top(padding_side="left"))
    assert "pads on the left" in refusal(folder)
    chinese = save_chinese_clip(tmp_path / "chinese").folder
    changed(chinese, "config.json", part("text_config", pad_token_id=3))
    assert "pad_token_id" in refusal(chinese)


def test_a_tokenizer_that_brings_code_is_refused(folder: Path) -> None:
    changed(folder, "tokenizer_config.json", top(auto_map={"AutoTokenizer": ["evil.Evil", None]}))
    assert "names code to run" in refusal(folder)


def test_links_do_not_lead_out_of_a_folder(folder: Path, tmp_path: Path) -> None:
    (folder / "preprocessor_config.json").rename(tmp_path / "elsewhere.json")
    (folder / "preprocessor_config.json").symlink_to(tmp_path / "elsewhere.json")
    assert "leads out" in refusal(folder)
