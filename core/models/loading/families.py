"""The kinds of transformers models that are loaded: what their config.json may say, and open_clip's words for it.

Read in a child; no torch. Keys that are not in these tables (training, generation, the library's version) say nothing
that an embedding needs, except those that name code or quantised weights, which are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.errors import ModelError
from core.models import kinds
from core.models.kinds import NOTHING, Kind, either, matching, number, one_of, several, whole
from core.models.text_tables import ENCODER
from core.settings import MODEL_LIMITS

# What transformers calls an activation, and ours. The approximations by a tanh differ by rounding alone.
ACTIVATIONS = {
    "quick_gelu": "quick_gelu",
    "gelu": "gelu",
    "gelu_python": "gelu",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_new": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
}
TITLES = {
    "clip": "CLIPModel",
    "siglip": "SiglipModel",
    "siglip2": "Siglip2Model",
    "chinese_clip": "ChineseCLIPModel",
    "altclip": "AltCLIPModel",
}
# The encoder of Hugging Face inside a family's text tower.
ENCODERS = {"chinese_clip": "bert", "altclip": "xlm-roberta"}

_WIDTH = whole(1, MODEL_LIMITS.width)
_TOWER: dict[str, Kind] = {
    "hidden_size": _WIDTH,
    "intermediate_size": whole(1, 4 * MODEL_LIMITS.width),
    "num_hidden_layers": whole(1, MODEL_LIMITS.layers),
    "num_attention_heads": whole(1, 1024),
    "hidden_act": one_of(*ACTIVATIONS),
    "layer_norm_eps": number(1e-15, 1),
}
_IMAGE: dict[str, Kind] = {
    **_TOWER,
    "image_size": whole(8, MODEL_LIMITS.image_side),
    "patch_size": whole(1, MODEL_LIMITS.image_side),
    "num_channels": Kind("3 (colour images)", lambda value: type(value) is int and value == 3),
    "vision_use_head": Kind("true: without its head the tower gives no embedding", lambda value: value is True),
    "num_patches": whole(1, MODEL_LIMITS.image_tokens),
}
_TEXT: dict[str, Kind] = {
    **_TOWER,
    "vocab_size": whole(1, MODEL_LIMITS.vocabulary),
    "max_position_embeddings": whole(2, MODEL_LIMITS.context),
    "eos_token_id": whole(0, MODEL_LIMITS.vocabulary),
    "projection_size": either(_WIDTH, NOTHING),
}
_ALT: dict[str, Kind] = {**ENCODER, "project_dim": _WIDTH}
_TOP: dict[str, Kind] = {"projection_dim": _WIDTH}
_KNOWN_TYPE = matching("[A-Za-z0-9_-]{1,64}", "the name of a kind of model")
_CODE = ("auto_map", "custom_pipelines", "trust_remote_code")

# What transformers assumes for a key that is not written.
_CLIP_IMAGE: dict[str, Any] = {
    "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12,
    "image_size": 224, "patch_size": 32, "num_channels": 3, "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5,
}  # fmt: skip
_CLIP_TEXT: dict[str, Any] = {
    "vocab_size": 49408, "hidden_size": 512, "intermediate_size": 2048, "num_hidden_layers": 12,
    "num_attention_heads": 8, "max_position_embeddings": 77, "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5,
    "eos_token_id": 49407,
}  # fmt: skip
_SIGLIP_IMAGE: dict[str, Any] = {
    **_CLIP_IMAGE, "patch_size": 16, "hidden_act": "gelu_pytorch_tanh", "layer_norm_eps": 1e-6,
}  # fmt: skip
_SIGLIP2_IMAGE: dict[str, Any] = {
    **{key: value for key, value in _SIGLIP_IMAGE.items() if key != "image_size"}, "num_patches": 256,
}  # fmt: skip
_SIGLIP_TEXT: dict[str, Any] = {
    "vocab_size": 32000, "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12,
    "num_attention_heads": 12, "max_position_embeddings": 64, "hidden_act": "gelu_pytorch_tanh",
    "layer_norm_eps": 1e-6, "projection_size": None,
}  # fmt: skip
_CHINESE_TEXT: dict[str, Any] = {
    "vocab_size": 30522, "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12,
    "num_attention_heads": 12, "max_position_embeddings": 512, "type_vocab_size": 2, "hidden_act": "gelu",
    "layer_norm_eps": 1e-12, "pad_token_id": 0,
}  # fmt: skip
_ALT_TEXT: dict[str, Any] = {
    "vocab_size": 250002, "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24,
    "num_attention_heads": 16, "max_position_embeddings": 514, "type_vocab_size": 1, "hidden_act": "gelu",
    "layer_norm_eps": 1e-5, "pad_token_id": 1, "project_dim": 768,
}  # fmt: skip
_IMAGES = {"clip": _CLIP_IMAGE, "siglip": _SIGLIP_IMAGE, "siglip2": _SIGLIP2_IMAGE, "chinese_clip": _CLIP_IMAGE,
           "altclip": _CLIP_IMAGE}  # fmt: skip
_TEXTS = {"clip": (_CLIP_TEXT, _TEXT), "siglip": (_SIGLIP_TEXT, _TEXT), "siglip2": (_SIGLIP_TEXT, _TEXT),
          "chinese_clip": (_CHINESE_TEXT, ENCODER), "altclip": (_ALT_TEXT, _ALT)}  # fmt: skip


def is_transformers(raw: Any) -> bool:
    """Whether a parsed configuration is one of transformers rather than of open_clip."""
    return isinstance(raw, dict) and ("model_type" in raw or "architectures" in raw) and "embed_dim" not in raw


def described(raw: dict[str, Any], name: str) -> dict[str, Any]:
    """`model` (open_clip's words) and `conversion` (what goes beyond them) of a config.json of transformers.

    Raises `ModelError` whose line begins with `name`.
    """
    _refuse_code(raw, name)
    family = _family(raw, name)
    defaults, text_table = _TEXTS[family]
    image = _part(raw, "vision_config", _IMAGES[family], _IMAGE, name)
    text = _part(raw, "text_config", defaults, text_table, name)
    kinds.check({key: raw[key] for key in _TOP if raw.get(key) is not None}, _TOP, name)
    joint = raw.get("projection_dim") or (768 if family == "altclip" else 512)
    if "position_embedding_type" in text and text["position_embedding_type"] != "absolute":
        raise ModelError(f"{name}: text_config has relative positions, which Loupe does not load for this model")
    for part, values in (("vision_config", image), ("text_config", text)):
        if values["hidden_size"] % values["num_attention_heads"]:
            raise ModelError(f"{name}: the hidden_size of {part} is not a multiple of its num_attention_heads")
    if family in ("siglip", "siglip2"):
        joint = image["hidden_size"]
        if (text["projection_size"] or text["hidden_size"]) != joint:
            raise ModelError(
                f"{name} embeds texts in {text['projection_size'] or text['hidden_size']} dimensions and images in "
                f"{joint}, so that they cannot be compared"
            )
    if family == "siglip2":
        image["image_size"] = _square(image, name)
    model = {
        "embed_dim": joint,
        "vision_cfg": _vision(image, name),
        "text_cfg": _text(text, family),
        "custom_text": family != "clip",
        **({"init_logit_bias": 0.0} if family in ("siglip", "siglip2") else {}),
    }
    conversion = {
        "family": family,
        "image_activation": ACTIVATIONS[image["hidden_act"]],
        "text_activation": None if family in ENCODERS else ACTIVATIONS[text["hidden_act"]],
        "image": image,
        "encoder": _encoder(text, ENCODERS[family]) if family in ENCODERS else None,
        "project": text.get("project_dim"),
    }
    return {"model": model, "conversion": conversion}


def _family(raw: Mapping[str, Any], name: str) -> str:
    family, wanted = raw.get("model_type"), raw.get("architectures")
    known = ", ".join(TITLES.values())
    if not isinstance(family, str) or family not in TITLES:
        raise ModelError(
            f"{name} describes a model of the kind {kinds.shown(family)}; of transformers, Loupe loads {known}"
        )
    if wanted is not None and not several(_KNOWN_TYPE, 0, 4).fits(wanted):
        raise ModelError(f"{name} contains architectures = {kinds.shown(wanted)}; it must be a list of names")
    if wanted and TITLES[family] not in wanted:
        raise ModelError(
            f"{name} describes {kinds.shown(wanted[0])}, which is not a whole {TITLES[family]} of two towers; of "
            f"transformers, Loupe loads {known}"
        )
    if raw.get("quantization_config") is not None:
        raise ModelError(f"{name} describes quantised weights; save the model in fp32, fp16 or bf16")
    return family


def _refuse_code(raw: Mapping[str, Any], name: str) -> None:
    for part in (raw, raw.get("vision_config"), raw.get("text_config")):
        for key in _CODE:
            if isinstance(part, dict) and key in part:
                raise ModelError(
                    f"{name} names code to run ({key}); Loupe runs no code of a model, so it cannot be used"
                )


def _part(
    raw: Mapping[str, Any], key: str, defaults: Mapping[str, Any], table: Mapping[str, Kind], name: str
) -> dict[str, Any]:
    """A tower's values. A `..._dict` beside them, of old versions, replaces them and all defaults, as it does there."""
    given: dict[str, Any] = {}
    for part in (key, f"{key}_dict"):
        values = raw.get(part)
        if values is None:
            continue
        if not isinstance(values, dict):
            raise ModelError(f"{name} contains {part} = {kinds.shown(values)}; it must be an object")
        given = {**given, **(defaults if given else {}), **values}
    known = {one: value for one, value in given.items() if one in table and value is not None}
    kinds.check({one: value for one, value in known.items() if one != "model_type"}, table, f"{name}: {key}")
    return {**defaults, **known}


def _square(image: Mapping[str, Any], name: str) -> int:
    side = round(image["num_patches"] ** 0.5)
    if side * side != image["num_patches"]:
        raise ModelError(f"{name}: num_patches of vision_config must be the square of a whole number")
    return int(side * image["patch_size"])


def _vision(image: Mapping[str, Any], name: str) -> dict[str, Any]:
    if image["patch_size"] > image["image_size"]:
        raise ModelError(f"{name}: vision_config has a patch_size larger than its image_size")
    if (image["image_size"] // image["patch_size"]) ** 2 > MODEL_LIMITS.image_tokens:
        raise ModelError(
            f"{name}: vision_config divides an image into more than {MODEL_LIMITS.image_tokens:,} patches; a larger "
            "patch_size or a smaller image_size is needed"
        )
    return {
        "image_size": image["image_size"],
        "patch_size": image["patch_size"],
        "width": image["hidden_size"],
        "layers": image["num_hidden_layers"],
        "head_width": image["hidden_size"] // image["num_attention_heads"],
        "mlp_ratio": ratio(image),
        "norm_kwargs": {"eps": image["layer_norm_eps"]},
    }


def _text(text: Mapping[str, Any], family: str) -> dict[str, Any]:
    if family in ENCODERS:
        # Two tokens of an XLM-RoBERTa's positions stand for padding.
        offset = text["pad_token_id"] + 1 if ENCODERS[family] == "xlm-roberta" else 0
        return {
            "hf_model_name": "encoder",
            "hf_model_pretrained": False,
            "hf_tokenizer_name": "tokenizer",
            "hf_pooler_type": "cls_last_hidden_state_pooler",
            "hf_proj_type": "linear",
            "context_length": max(1, text["max_position_embeddings"] - offset),
        }
    made = {
        "context_length": text["max_position_embeddings"],
        "vocab_size": text["vocab_size"],
        "hf_tokenizer_name": "tokenizer",
        "width": text["hidden_size"],
        "heads": text["num_attention_heads"],
        "layers": text["num_hidden_layers"],
        "mlp_ratio": ratio(text),
        "norm_kwargs": {"eps": text["layer_norm_eps"]},
    }
    if family in ("siglip", "siglip2"):
        return {**made, "no_causal_mask": True, "pool_type": "last", "proj_bias": True}
    # Until 2023 every CLIP was saved with 2, whatever its tokenizer; transformers then reads the highest id.
    end = text["eos_token_id"]
    return {**made, "pool_type": "argmax"} if end == 2 else {**made, "pool_type": "eos", "eos_id": end}


def _encoder(text: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """The config.json of the encoder inside a text tower."""
    kept = {key: value for key, value in text.items() if key in ENCODER}
    return {**kept, "model_type": kind, "is_encoder_decoder": False}


def ratio(values: Mapping[str, Any]) -> float:
    """The number that, times the width and rounded down, gives the hidden units."""
    return float((values["intermediate_size"] + 0.5) / values["hidden_size"])
