"""An open_clip configuration: which keys it may hold and which values, by tables. Read in a child; no torch.

Nothing in a configuration names code, a path outside of its own folder, or a repository that is asked: what is not in
these tables is refused by name.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import ModelError
from core.models import kinds
from core.models.json_file import parsed, read_bytes
from core.models.kinds import FLAG, NOTHING, Kind, either, matching, number, one_of, several, whole
from core.models.loading import families, processors
from core.sandbox import Allowance, Failure, call
from core.settings import MODEL_LIMITS

_WIDTH = whole(1, MODEL_LIMITS.width)
_LAYERS = whole(1, MODEL_LIMITS.layers)
_HEADS = whole(1, 1024)
_SIDE = whole(8, MODEL_LIMITS.image_side)
_PATCH = whole(1, MODEL_LIMITS.image_side)
_RATE = number(0, 1)
_SCALE = either(number(0, 1000), NOTHING)
# A name is only ever looked up: beside the configuration, in timm's registry, or among the names that open_clip ships.
_NAME = matching(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*", "a name without '..' or a colon")
_TRUNK = matching(r"[a-z0-9_]+(\.[a-z0-9_]+)?", "the name of a timm model, without a prefix")
_ANY = Kind("an object", lambda value: isinstance(value, dict))
_TABLE = either(_ANY, NOTHING)
_BLOCK = either(one_of("default", "custom"), NOTHING)

_OWN_BLOCK: dict[str, Kind] = {
    "block_type": _BLOCK,
    "qk_norm": FLAG,
    "scaled_cosine_attn": FLAG,
    "scale_heads": FLAG,
    "scale_attn_inner": FLAG,
    "scale_attn": FLAG,
    "scale_fc": FLAG,
    "act_kwargs": _TABLE,
    "norm_kwargs": _TABLE,
    "mlp_ratio": number(0.01, 64),
    "ls_init_value": _SCALE,
    "final_ln_after_pool": FLAG,
    "output_tokens": FLAG,
}

VISION: dict[str, Kind] = {
    **_OWN_BLOCK,
    "layers": either(_LAYERS, several(whole(1, 128), 4)),
    "width": _WIDTH,
    "head_width": whole(1, 4096),
    "patch_size": either(_PATCH, several(_PATCH, 2), NOTHING),
    "image_size": either(_SIDE, several(_SIDE, 2)),
    "patch_dropout": _RATE,
    "attentional_pool": either(FLAG, one_of("parallel", "cascade")),
    "attn_pooler_queries": whole(1, 4096),
    "attn_pooler_heads": _HEADS,
    "no_ln_pre": FLAG,
    "pos_embed_type": one_of("learnable", "sin_cos_2d"),
    "pool_type": one_of("tok", "avg", "none"),
    "timm_model_name": either(_TRUNK, NOTHING),
    "timm_model_pretrained": FLAG,
    "timm_pool": one_of("", "avg", "avgmax", "max", "map", "token", "abs_attn", "rot_attn"),
    "timm_proj": either(one_of("", "linear", "mlp", "none"), NOTHING),
    "timm_proj_bias": FLAG,
    "timm_drop": _RATE,
    "timm_drop_path": either(_RATE, NOTHING),
}

# What a configuration may ask of its tokenizer. Not among them: paths, `trust_remote_code`, and ways to shorten a text
# that draw at random or fetch data.
TOKENIZER: dict[str, Kind] = {
    "clean": one_of("canonicalize", "lower", "whitespace"),
    "strip_sep_token": FLAG,
    "language": either(matching("[A-Za-z_-]{1,32}", "a language code"), NOTHING),
    "tokenizer_mode": either(one_of("", "clips"), NOTHING),
    "additional_special_tokens": either(
        several(matching("<[A-Za-z0-9_/-]{1,62}>", "a token of the form <name>", 64), 0, 256), NOTHING
    ),
    "reduction_mask": one_of(""),
}

INNER: dict[str, dict[str, Kind]] = {
    "tokenizer_kwargs": TOKENIZER,
    "norm_kwargs": {"eps": number(1e-12, 1)},
    "act_kwargs": {"approximate": one_of("none", "tanh")},
}

TEXT: dict[str, Kind] = {
    **_OWN_BLOCK,
    "context_length": whole(1, MODEL_LIMITS.context),
    "vocab_size": whole(1, MODEL_LIMITS.vocabulary),
    "hf_tokenizer_name": either(_NAME, NOTHING),
    "tokenizer_mode": either(one_of("", "clips"), NOTHING),
    "tokenizer_kwargs": _TABLE,
    "width": _WIDTH,
    "heads": _HEADS,
    "layers": _LAYERS,
    "embed_cls": FLAG,
    "pad_id": whole(0, MODEL_LIMITS.vocabulary),
    "eos_id": whole(0, MODEL_LIMITS.vocabulary),
    "no_causal_mask": FLAG,
    "pool_type": one_of("argmax", "eos", "first", "last", "none"),
    "proj_bias": FLAG,
    "proj_type": either(one_of("linear", "none"), NOTHING),
    "hf_model_name": either(_NAME, NOTHING),
    "hf_model_pretrained": FLAG,
    "hf_proj_type": either(one_of("linear", "mlp"), NOTHING),
    "hf_pooler_type": either(
        one_of("mean_pooler", "max_pooler", "cls_pooler", "cls_last_hidden_state_pooler"), NOTHING
    ),
}

MULTIMODAL: dict[str, Kind] = {
    **TEXT,
    "dim_head": _HEADS,
    "n_queries": whole(1, 4096),
    "attn_pooler_heads": _HEADS,
}

MODEL: dict[str, Kind] = {
    "embed_dim": _WIDTH,
    "vision_cfg": _ANY,
    "text_cfg": _ANY,
    "multimodal_cfg": _ANY,
    "custom_text": FLAG,
    "quick_gelu": FLAG,
    "init_logit_scale": number(-100, 100),
    "init_logit_bias": either(number(-1000, 1000), NOTHING),
    "nonscalar_logit_scale": FLAG,
    "output_dict": FLAG,
}

_COLOUR = several(number(-1000, 1000), 3)
PREPROCESS: dict[str, Kind] = {
    "size": either(_SIDE, several(_SIDE, 1, 2), NOTHING),
    "mode": one_of("RGB"),
    "mean": either(_COLOUR, NOTHING),
    "std": either(several(number(1e-6, 1000), 3), NOTHING),
    "interpolation": either(one_of("bicubic", "bilinear", "random"), NOTHING),
    "resize_mode": either(one_of("shortest", "longest", "squash"), NOTHING),
    "fill_color": either(whole(0, 255), NOTHING),
}

_OTHER_NAMES = {"image_mean": "mean", "image_std": "std"}
PREPROCESS.update({other: PREPROCESS[key] for other, key in _OTHER_NAMES.items()})

_ALLOWANCE = Allowance(
    seconds=MODEL_LIMITS.file_seconds, wall=MODEL_LIMITS.file_wall, answer=8 * MODEL_LIMITS.configuration
)


@dataclass(frozen=True)
class Conversion:
    """What of a transformers model a configuration of open_clip cannot say.

    `image` are the checked values of its image tower, `encoder` those of the Hugging Face encoder inside its text
    tower, `project` the width between that encoder and the projection; activations are named as in
    `loading.families.ACTIVATIONS`.
    """

    family: str
    image: dict[str, Any]
    image_activation: str
    text_activation: str | None = None
    encoder: dict[str, Any] | None = None
    project: int | None = None


@dataclass(frozen=True)
class Configuration:
    """A configuration whose every value was checked. `model` is open_clip's `model_cfg`; `name` is for messages.

    `processor` are the values of transformers' image processor. `notes` are what a reader of the report should know.
    """

    model: dict[str, Any]
    preprocess: dict[str, Any]
    path: Path
    name: str
    conversion: Conversion | None = None
    processor: dict[str, Any] | None = None
    notes: tuple[str, ...] = ()


def read_configuration(path: Path, name: str | None = None) -> Configuration:
    """The configuration in a file, read and checked in a child. Raises `ModelError` in one line.

    `name` stands for the path in messages.
    """
    name = name or kinds.shown_path(path)
    if not os.path.lexists(path):
        raise ModelError(f"there is no configuration {name}; an open_clip configuration is needed")
    try:
        found = call(read, os.path.abspath(path), name, allowance=_ALLOWANCE).value
    except Failure as error:
        raise ModelError(f"the configuration {name} {error}") from error
    conversion = None if found.get("conversion") is None else Conversion(**found["conversion"])
    return Configuration(found["model"], found["preprocess"], path, name, conversion)


def read_processor(path: Path, part: str | None, family: str, name: str) -> dict[str, Any] | None:
    """What the image processor of transformers in a file does, read and checked in a child.

    `part` is the key of the file that holds it, if it is not the whole file; None if the file has no such key. Raises
    `ModelError` in one line.
    """
    try:
        found: dict[str, Any] | None = call(
            read_processor_file, os.path.abspath(path), part, family, name, allowance=_ALLOWANCE
        ).value
    except Failure as error:
        raise ModelError(f"the image processor {name} {error}") from error
    return found


def read_processor_file(_: bytes, path: str, part: str | None, family: str, name: str) -> tuple[Any, bytes]:
    """In the child: the checked image processor in the file at `path`."""
    raw = parsed(read_bytes(path, name, MODEL_LIMITS.configuration), name)
    if part is not None:
        if not isinstance(raw, dict) or part not in raw:
            return None, b""
        raw = raw[part]
    return processors.described(raw, family, name), b""


def read(_: bytes, path: str, name: str) -> tuple[Any, bytes]:
    """In the child: the checked parts of the file at `path`."""
    raw = parsed(read_bytes(path, name, MODEL_LIMITS.configuration), name)
    if families.is_transformers(raw):
        return {**families.described(raw, name), "preprocess": {}}, b""
    return checked(raw, name), b""


def checked(raw: Any, name: str) -> dict[str, Any]:
    """`model` and `preprocess` of a parsed configuration. Raises `ModelError` whose line begins with `name`."""
    if not isinstance(raw, dict):
        raise ModelError(f"{name} is not an open_clip configuration: it contains {kinds.shown(raw)}, not an object")
    model: dict[str, Any] = raw
    preprocess: dict[str, Any] = {}
    if "model_cfg" in raw:
        model, preprocess = raw["model_cfg"], raw.get("preprocess_cfg") or {}
        kinds.check(raw, {"model_cfg": _ANY, "preprocess_cfg": either(_ANY, NOTHING)}, name)
    missing = [key for key in ("embed_dim", "vision_cfg", "text_cfg") if key not in model]
    if missing:
        raise ModelError(f"{name} is not an open_clip configuration: it lacks {', '.join(missing)}")
    kinds.check(model, MODEL, name)
    for part, known in (("vision_cfg", VISION), ("text_cfg", TEXT), ("multimodal_cfg", MULTIMODAL)):
        values = model.get(part, {})
        kinds.check(values, known, f"{name}: {part}")
        for key, inner in INNER.items():
            kinds.check(values.get(key) or {}, inner, f"{name}: {key} of {part}")
    kinds.check(preprocess, PREPROCESS, f"{name}: preprocess_cfg")
    _check_places(model["vision_cfg"], name)
    preprocess = _one_name(preprocess, name)
    return {"model": _settled(model), "preprocess": preprocess}


def _one_name(preprocess: dict[str, Any], name: str) -> dict[str, Any]:
    """The preprocessing by open_clip's names, also where it was written by those of transformers."""
    made = {key: value for key, value in preprocess.items() if value is not None}
    for other, key in _OTHER_NAMES.items():
        value = made.pop(other, None)
        if value is not None and made.setdefault(key, value) != value:
            raise ModelError(f"{name}: preprocess_cfg contains {key} and {other} with different values; remove one")
    return made


def _check_places(vision: dict[str, Any], name: str) -> None:
    """Attention grows with the square of the places: no more of them than any published model has."""
    if vision.get("timm_model_name") or isinstance(vision.get("layers"), list):
        return
    height, width = _pair(vision.get("image_size", 224))
    rows, columns = _pair(vision.get("patch_size") or 16)
    if rows > height or columns > width:
        raise ModelError(f"{name}: vision_cfg has a patch_size larger than its image_size")
    if (height // rows) * (width // columns) > MODEL_LIMITS.image_tokens:
        raise ModelError(
            f"{name}: vision_cfg divides an image into more than {MODEL_LIMITS.image_tokens:,} patches; a larger "
            "patch_size or a smaller image_size is needed"
        )


def _pair(value: Any) -> tuple[int, int]:
    return (value[0], value[1]) if isinstance(value, list) else (value, value)


def _settled(model: dict[str, Any]) -> dict[str, Any]:
    """A copy in which nothing asks for weights from elsewhere, or for a dictionary where Loupe expects a tensor."""
    vision, text = dict(model["vision_cfg"]), dict(model["text_cfg"])
    if vision.get("timm_model_name"):
        vision["timm_model_pretrained"] = False
    for key in ("hf_model_name", "hf_tokenizer_name", "tokenizer_kwargs"):
        if key in text and not text[key]:
            del text[key]
    if "hf_model_name" in text:
        text["hf_model_pretrained"] = False
    rest = {key: value for key, value in model.items() if key != "output_dict"}
    return {**rest, "vision_cfg": vision, "text_cfg": text}
