"""LoRA adapters: merged in closed form into the weights of their base, or refused in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from benchmarks.support.hub_models import TEXTS, Saved, save_clip
from core import load_model
from core.errors import ModelError

ADAPTED = ("text_model.encoder.layers.1.self_attn.v_proj", "vision_model.encoder.layers.0.mlp.fc1")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """A CLIPModel. Don't change it."""
    return save_clip(tmp_path_factory.mktemp("base") / "clip")


def adapter(base: Saved, folder: Path, **more: Any) -> Path:
    """A folder as peft writes it; rank 3, factor 2."""
    folder.mkdir()
    config = {"peft_type": "LORA", "r": 3, "lora_alpha": 6, "target_modules": ["v_proj", "fc1"], "bias": "none",
              "base_model_name_or_path": "someone/else", **more}  # fmt: skip
    (folder / "adapter_config.json").write_text(json.dumps(config))
    state = load_file(str(base.folder / "model.safetensors"))
    generator = torch.Generator().manual_seed(1)
    made = {}
    for name in ADAPTED:
        rows, columns = state[f"{name}.weight"].shape
        made[f"base_model.model.{name}.lora_A.weight"] = torch.randn(3, columns, generator=generator)
        made[f"base_model.model.{name}.lora_B.weight"] = torch.randn(rows, 3, generator=generator)
    save_file(made, str(folder / "adapter_model.safetensors"))
    return folder


def test_an_adapter_is_added_to_the_weights_that_it_names(base: Saved, tmp_path: Path) -> None:
    folder = adapter(base, tmp_path / "adapter")
    model = load_model(base.folder, weights=folder)
    pairs = {key: value.double() for key, value in load_file(str(folder / "adapter_model.safetensors")).items()}
    state = load_file(str(base.folder / "model.safetensors"))
    for name in ADAPTED:
        down, up = (pairs[f"base_model.model.{name}.lora_{side}.weight"] for side in "AB")
        state[f"{name}.weight"] = (state[f"{name}.weight"].double() + 2 * up @ down).float()
    base_model = load_model(base.folder)
    theirs = type(base.model)(base.model.config).eval()
    theirs.load_state_dict(state, strict=False)
    with torch.no_grad():
        wanted = torch.nn.functional.normalize(theirs.get_text_features(**base.text_ids()).pooler_output, dim=-1)
    assert float((model.embed_texts(TEXTS) - wanted).abs().max()) <= 1e-5
    assert float((base_model.embed_texts(TEXTS) - wanted).abs().max()) > 1e-2
    (note,) = model.describe()["recognised"]["notes"]
    assert "factor 2" in note
    assert len([word for word in note.rstrip(".").split() if len(word) == 64]) == 1
    assert model.weights_sha256 == base_model.weights_sha256
    assert model.digest != base_model.digest


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"use_dora": True}, "use_dora"),
        ({"modules_to_save": ["visual_projection"]}, "modules_to_save"),
        ({"bias": "all"}, "bias"),
        ({"r": 0}, "r = 0"),
        ({"r": "3"}, "no r and lora_alpha"),
        ({"lora_alpha": 1e300}, "lora_alpha"),
        ({"peft_type": "IA3"}, "peft_type"),
        ({"rank_pattern": {"a": 1}}, "rank_pattern"),
    ],
)
def test_what_is_not_plain_lora_is_refused(base: Saved, tmp_path: Path, more: dict[str, Any], told: str) -> None:
    with pytest.raises(ModelError, match=told):
        load_model(base.folder, weights=adapter(base, tmp_path / "adapter", **more))


def test_an_adapter_of_another_base_is_refused(base: Saved, tmp_path: Path) -> None:
    folder = adapter(base, tmp_path / "adapter")
    with pytest.raises(ModelError, match="name its base model"):
        load_model(folder)
    state = load_file(str(folder / "adapter_model.safetensors"))
    key = next(key for key in state if key.endswith("lora_A.weight"))
    for changed, told in (
        ({**state, key: state[key][:, :-1].contiguous()}, "other shapes"),
        ({name: value for name, value in state.items() if name != key}, "one of a pair"),
        ({name.replace("encoder", "elsewhere"): value for name, value in state.items()}, "does not have"),
    ):
        save_file(changed, str(folder / "adapter_model.safetensors"))
        with pytest.raises(ModelError, match=told):
            load_model(base.folder, weights=folder)
