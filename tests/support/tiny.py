"""Tiny models of every family, with lively seeded weights, saved as files and loaded through the public door."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from timm.models.vision_transformer import VisionTransformer as TimmVisionTransformer
from torch import Tensor, nn

from core import load_model
from core.models.image_tower import image_tower
from core.models.loading import _build
from core.models.model import Model
from core.models.text_tower import text_tower

Zoo = Callable[[str], Model]

TEXTS = ("a red bird", "dog", "two people walk along the grey shore")
WORDS = (
    *("a", "red", "bird", "dog", "two", "people", "walk", "along", "the", "grey", "shore", "of", "in", "photo", "cat"),
    *("on", "mat", "evidence", "nothing", "see", "##s", ",", "."),
)

_VIT: dict[str, Any] = {"image_size": 64, "patch_size": 16, "width": 64, "head_width": 16, "layers": 4}
_TEXT: dict[str, Any] = {"context_length": 20, "width": 48, "heads": 4, "layers": 4}
_SMALL_TEXT: dict[str, Any] = {**_TEXT, "width": 16}
_SIGLIP_TEXT: dict[str, Any] = {**_SMALL_TEXT, "no_causal_mask": True, "pool_type": "last"}
_BERT: dict[str, Any] = {"hf_model_name": "words", "hf_tokenizer_name": "words", "context_length": 20}


def _timm(name: str, pool: str, proj: str = "linear", size: int = 160) -> dict[str, Any]:
    return {"timm_model_name": name, "timm_pool": pool, "timm_proj": proj, "image_size": size}


CONFIGS: dict[str, dict[str, Any]] = {
    "vit": {"vision_cfg": _VIT, "text_cfg": _TEXT},
    "vit_wide": {"vision_cfg": {**_VIT, "image_size": [48, 80]}, "text_cfg": _SMALL_TEXT},
    "vit_avg": {"vision_cfg": {**_VIT, "pool_type": "avg"}, "text_cfg": _SMALL_TEXT},
    "vit_late_norm": {"vision_cfg": {**_VIT, "pool_type": "avg", "final_ln_after_pool": True}, "text_cfg": _SMALL_TEXT},
    "vit_layer_scale": {
        "vision_cfg": {**_VIT, "ls_init_value": 0.5},
        "text_cfg": {**_TEXT, "ls_init_value": 0.5},
    },
    "vit_quick": {"vision_cfg": _VIT, "text_cfg": _SMALL_TEXT, "quick_gelu": True},
    "vit_attentional": {
        "vision_cfg": {**_VIT, "attentional_pool": True, "attn_pooler_queries": 6, "attn_pooler_heads": 4},
        "text_cfg": _SMALL_TEXT,
    },
    "resnet_clip": {
        "vision_cfg": {"layers": [1, 1, 1, 1], "width": 8, "head_width": 16, "image_size": 64},
        "text_cfg": _SMALL_TEXT,
    },
    "timm_cls": {"vision_cfg": _timm("test_vit", "token"), "text_cfg": _SIGLIP_TEXT, "custom_text": True},
    "timm_avg": {"vision_cfg": _timm("test_vit", "avg"), "text_cfg": _SIGLIP_TEXT, "custom_text": True},
    "timm_map": {
        "embed_dim": 64,
        "vision_cfg": _timm("test_vit", "map", "none"),
        "text_cfg": {**_SIGLIP_TEXT, "proj_bias": True},
        "custom_text": True,
    },
    "siglip": {
        "embed_dim": 64,
        "vision_cfg": _timm("loupe_siglip", "map", "none", 64),
        "text_cfg": {**_SIGLIP_TEXT, "proj_bias": True},
        "custom_text": True,
    },
    "registers": {
        "embed_dim": 64,
        "vision_cfg": _timm("loupe_registers", "token", "none", 64),
        "text_cfg": {**_SMALL_TEXT, "pool_type": "eos", "eos_id": 49407},
        "custom_text": True,
    },
    "efficientnet": {"vision_cfg": _timm("test_efficientnet", "avg"), "text_cfg": _SMALL_TEXT},
    "convnext": {"vision_cfg": _timm("test_convnext", "avg"), "text_cfg": _SMALL_TEXT},
    "resnet": {"vision_cfg": _timm("test_resnet", "avg"), "text_cfg": _SMALL_TEXT},
    "byobnet": {"vision_cfg": _timm("test_byobnet", "avg"), "text_cfg": _SMALL_TEXT},
    "bert_mean": {"vision_cfg": _VIT, "text_cfg": {**_BERT, "hf_pooler_type": "mean_pooler", "hf_proj_type": "mlp"}},
    "bert_cls": {"vision_cfg": _VIT, "text_cfg": {**_BERT, "hf_pooler_type": "cls_pooler", "hf_proj_type": "linear"}},
    "bert_first": {
        "vision_cfg": _VIT,
        "text_cfg": {**_BERT, "hf_pooler_type": "cls_last_hidden_state_pooler", "hf_proj_type": "linear"},
    },
}
FAMILIES = tuple(CONFIGS)
CNNS = ("efficientnet", "convnext", "resnet")
LAYERED = tuple(name for name in FAMILIES if name not in ("resnet_clip", "byobnet"))
ATTENTIVE = tuple(name for name in LAYERED if name not in CNNS)


def _register(name: str, **shape: Any) -> None:
    def entry(pretrained: bool = False, **options: Any) -> nn.Module:
        kept = {key: options[key] for key in ("num_classes", "global_pool") if key in options}
        return TimmVisionTransformer(img_size=64, patch_size=16, embed_dim=64, depth=4, num_heads=4, **shape, **kept)

    entry.__name__ = name
    if not timm.is_model(name):
        timm.models.register_model(entry)


_register("loupe_siglip", class_token=False, scale_attn_norm=True)
_register("loupe_registers", reg_tokens=2, qk_norm=True, init_values=0.5)


def write_config(folder: Path, family: str) -> Path:
    """The configuration file of a family; a BERT's words and shape lie in a folder beside it."""
    config = folder / f"{family}.json"
    config.write_text(json.dumps({"embed_dim": 32, **CONFIGS[family]}))
    if family.startswith("bert"):
        _write_words(folder / "words")
    return config


def write_model(folder: Path, family: str, seed: int = 0) -> tuple[Path, Path]:
    """The files (configuration, weights) of a tiny model."""
    config = write_config(folder, family)
    net = _build(json.loads(config.read_text()), config)
    enliven(net, seed)
    weights = folder / f"{family}-{seed}.safetensors"
    save_file({name: value.contiguous() for name, value in net.state_dict().items()}, str(weights))
    return config, weights


_loaded: dict[str, Model] = {}


def tiny_model(family: str, folder: Path) -> Model:
    """The family's tiny model, built in `folder` the first time and kept for the session. Don't change it."""
    if family not in _loaded:
        config, weights = write_model(folder, family)
        _loaded[family] = load_model(str(config), weights=weights)
    return _loaded[family]


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


def pictures(count: int = 2, seed: int = 0) -> list[Image.Image]:
    """Smooth random pictures of several shapes."""
    random = np.random.default_rng(seed)
    sizes = ((120, 90), (80, 130), (100, 100), (150, 64))
    made = []
    for index in range(count):
        small = Image.fromarray(random.integers(0, 256, (6, 6, 3), dtype=np.uint8))
        made.append(small.resize(sizes[index % len(sizes)], Image.Resampling.BICUBIC))
    return made


def pixels(model: Model, count: int = 2, seed: int = 0) -> Tensor:
    """Smooth random pictures as the model sees them."""
    return model.preprocess(pictures(count, seed))[0]


def _write_words(folder: Path) -> None:
    if folder.exists():
        return
    folder.mkdir()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    shape = {
        "model_type": "bert",
        "architectures": ["BertModel"],
        "hidden_size": 48,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "intermediate_size": 96,
        "max_position_embeddings": 40,
        "vocab_size": len(words),
        "type_vocab_size": 2,
        "pad_token_id": 0,
        "layer_norm_eps": 1e-12,
    }
    (folder / "config.json").write_text(json.dumps(shape))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": 40})
    )
