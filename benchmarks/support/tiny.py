"""Tiny models of every family, with lively seeded weights, saved as files and loaded through the public door."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from benchmarks.support.tiny_families import ENCODERS, MORE_CONFIGS, SIGLIP_TEXT, SMALL_TEXT, TEXT, VIT, timm_vision
from core import load_model
from core.models.image_tower import image_tower
from core.models.loading.network import build
from core.models.model import Model
from core.models.text_tower import text_tower

Zoo = Callable[[str], Model]

TEXTS = ("a red bird", "dog", "two people walk along the grey shore")
WORDS = (
    *("a", "red", "bird", "dog", "two", "people", "walk", "along", "the", "grey", "shore", "of", "in", "photo", "cat"),
    *("on", "mat", "evidence", "nothing", "see", "##s", ",", "."),
)

_BERT: dict[str, Any] = {"hf_model_name": "words", "hf_tokenizer_name": "words", "context_length": 20}

CONFIGS: dict[str, dict[str, Any]] = {
    "vit": {"vision_cfg": VIT, "text_cfg": TEXT},
    "vit_wide": {"vision_cfg": {**VIT, "image_size": [48, 80]}, "text_cfg": SMALL_TEXT},
    "vit_avg": {"vision_cfg": {**VIT, "pool_type": "avg"}, "text_cfg": SMALL_TEXT},
    "vit_late_norm": {"vision_cfg": {**VIT, "pool_type": "avg", "final_ln_after_pool": True}, "text_cfg": SMALL_TEXT},
    "vit_layer_scale": {
        "vision_cfg": {**VIT, "ls_init_value": 0.5},
        "text_cfg": {**TEXT, "ls_init_value": 0.5},
    },
    "vit_quick": {"vision_cfg": VIT, "text_cfg": SMALL_TEXT, "quick_gelu": True},
    "vit_attentional": {
        "vision_cfg": {**VIT, "attentional_pool": True, "attn_pooler_queries": 6, "attn_pooler_heads": 4},
        "text_cfg": SMALL_TEXT,
    },
    "resnet_clip": {
        "vision_cfg": {"layers": [1, 1, 1, 1], "width": 8, "head_width": 16, "image_size": 64},
        "text_cfg": SMALL_TEXT,
    },
    "timm_cls": {"vision_cfg": timm_vision("test_vit", "token"), "text_cfg": SIGLIP_TEXT, "custom_text": True},
    "timm_avg": {"vision_cfg": timm_vision("test_vit", "avg"), "text_cfg": SIGLIP_TEXT, "custom_text": True},
    "timm_map": {
        "embed_dim": 64,
        "vision_cfg": timm_vision("test_vit", "map", "none"),
        "text_cfg": {**SIGLIP_TEXT, "proj_bias": True},
        "custom_text": True,
    },
    "siglip": {
        "embed_dim": 64,
        "vision_cfg": timm_vision("loupe_siglip", "map", "none", 64),
        "text_cfg": {**SIGLIP_TEXT, "proj_bias": True},
        "custom_text": True,
    },
    "registers": {
        "embed_dim": 64,
        "vision_cfg": timm_vision("loupe_registers", "token", "none", 64),
        "text_cfg": {**SMALL_TEXT, "pool_type": "eos", "eos_id": 49407},
        "custom_text": True,
    },
    "efficientnet": {"vision_cfg": timm_vision("test_efficientnet", "avg"), "text_cfg": SMALL_TEXT},
    "convnext": {"vision_cfg": timm_vision("test_convnext", "avg"), "text_cfg": SMALL_TEXT},
    "resnet": {"vision_cfg": timm_vision("test_resnet", "avg"), "text_cfg": SMALL_TEXT},
    "byobnet": {"vision_cfg": timm_vision("test_byobnet", "avg"), "text_cfg": SMALL_TEXT},
    "bert_mean": {"vision_cfg": VIT, "text_cfg": {**_BERT, "hf_pooler_type": "mean_pooler", "hf_proj_type": "mlp"}},
    "bert_cls": {"vision_cfg": VIT, "text_cfg": {**_BERT, "hf_pooler_type": "cls_pooler", "hf_proj_type": "linear"}},
    "bert_first": {
        "vision_cfg": VIT,
        "text_cfg": {**_BERT, "hf_pooler_type": "cls_last_hidden_state_pooler", "hf_proj_type": "linear"},
    },
}
# The families above have a second implementation in the tests; what follows is compared with the library alone.
FAMILIES = tuple(CONFIGS)
CNNS = ("efficientnet", "convnext", "resnet")
LAYERED = tuple(name for name in FAMILIES if name not in ("resnet_clip", "byobnet"))
ATTENTIVE = tuple(name for name in LAYERED if name not in CNNS)
CONFIGS.update(MORE_CONFIGS)
MORE = tuple(MORE_CONFIGS)
EVERY = (*FAMILIES, *MORE)


def write_config(folder: Path, family: str) -> Path:
    """The configuration file of a family; an encoder's words and shape lie in a folder beside it."""
    config = folder / f"{family}.json"
    config.write_text(json.dumps({"embed_dim": 32, **CONFIGS[family]}))
    words = CONFIGS[family]["text_cfg"].get("hf_model_name")
    if words:
        _write_words(folder / words, words.removeprefix("words").strip("-") or "bert")
    return config


def write_model(folder: Path, family: str, seed: int = 0) -> tuple[Path, Path]:
    """The files (configuration, weights) of a tiny model."""
    config = write_config(folder, family)
    net = network_of(config)
    enliven(net, seed)
    weights = folder / f"{family}-{seed}.safetensors"
    save_file({name: value.contiguous() for name, value in net.state_dict().items()}, str(weights))
    return config, weights


def network_of(config: Path) -> nn.Module:
    """The network of a configuration file, with random numbers."""
    values = json.loads(config.read_text())
    words = values["text_cfg"].get("hf_model_name")
    if words:
        values["text_cfg"]["hf_model_pretrained"] = False
    return build(values, config.name, str(config.parent / words) if words else None)


_loaded: dict[str, Model] = {}
# Not a family: a pair of ONNX towers, exported from one.
EXPORTED = "onnx"


def tiny_model(family: str, folder: Path) -> Model:
    """The family's tiny model, built in `folder` the first time and kept for the session. Don't change it."""
    if family == EXPORTED and family not in _loaded:
        _loaded[family] = _exported(folder)
    if family not in _loaded:
        config, weights = write_model(folder, family)
        _loaded[family] = load_model(str(config), weights=weights)
    return _loaded[family]


def _exported(folder: Path) -> Model:
    from benchmarks.support.onnx_export import export

    home = folder / EXPORTED
    home.mkdir()
    config, weights = write_model(folder, "vit_quick")
    shutil.copy(config, home / "open_clip_config.json")
    return load_model(export(load_model(str(config), weights=weights, device="cpu"), home, home))


def fresh(model: Model) -> Model:
    """A copy with its own network and its own count, for tests that change weights."""
    return _around(model, copy.deepcopy(model.net))


def double(model: Model) -> Model:
    """A copy in float64."""
    return _around(model, copy.deepcopy(model.net).double())


def _around(model: Model, net: nn.Module) -> Model:
    return replace(
        model,
        net=net,
        image=image_tower(net.visual),  # type: ignore[arg-type]
        text=text_tower(net, model.text.tokenizer),
        meter=type(model.meter)(),
    )


def enliven(net: nn.Module, seed: int = 0) -> None:
    """Seeded weights under which every part of the network matters, so that a wrong formula shows."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in sorted(net.state_dict().items()):
            if value.is_floating_point() and value.ndim:
                value.copy_(_drawn(name, value, generator))


def _drawn(name: str, value: Tensor, generator: torch.Generator) -> Tensor:
    noise = torch.randn(value.shape, generator=generator)
    if name.endswith("running_var"):
        return 1 + 0.3 * noise.abs()
    if name.endswith("running_mean"):
        return 0.2 * noise
    if value.ndim == 1:
        gain = name.endswith("weight")  # of a norm: other vectors are biases, gains of layer scale among them
        return 1 + 0.2 * noise if gain else 0.5 + 0.2 * noise if "gamma" in name else 0.2 * noise
    if "embed" in name or name.endswith("_token"):
        return 0.5 * noise
    fan_in = value[0].numel()
    return 1.5 * noise / fan_in**0.5


def sample_images(count: int = 2, seed: int = 0) -> list[Image.Image]:
    """Smooth random images of several shapes."""
    random = np.random.default_rng(seed)
    sizes = ((120, 90), (80, 130), (100, 100), (150, 64))
    made = []
    for index in range(count):
        small = Image.fromarray(random.integers(0, 256, (6, 6, 3), dtype=np.uint8))
        made.append(small.resize(sizes[index % len(sizes)], Image.Resampling.BICUBIC))
    return made


def pixels(model: Model, count: int = 2, seed: int = 0) -> Tensor:
    """Smooth random images as the model sees them."""
    return model.preprocess(sample_images(count, seed))[0]


def _write_words(folder: Path, kind: str) -> None:
    if folder.exists():
        return
    folder.mkdir()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    shape = {**ENCODERS[kind], "vocab_size": len(words), "pad_token_id": 0}
    (folder / "config.json").write_text(json.dumps(shape))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": 40})
    )
