"""The image processor of a transformers model: what its file may say and what it does. Read in a child; no torch.

The file is `preprocessor_config.json`, or since version 5 the part `image_processor` of `processor_config.json`. Every
key that changes pixels is applied or refused by name.
"""

from __future__ import annotations

from typing import Any

from core.errors import ModelError
from core.models import kinds
from core.models.kinds import FLAG, NOTHING, Kind, either, matching, number, one_of, several, whole
from core.settings import MODEL_LIMITS

PROCESSOR, OLD_PROCESSOR = "processor_config.json", "preprocessor_config.json"
# Pillow's numbers of filters, by the names that our manifests use.
FILTERS = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}

_SIDE = whole(1, MODEL_LIMITS.image_side)
_COLOUR = several(number(-1000, 1000), 3)
_SPREAD = several(number(1e-6, 1000), 3)
_FLAG = either(FLAG, NOTHING)
_NAME = either(matching("[A-Za-z0-9_]{1,64}", "the name of an image processor"), NOTHING)


def _edges(*names: str) -> Kind:
    told = "an object of " + " and ".join(names)
    return Kind(told, lambda value: isinstance(value, dict) and set(value) == set(names) and all(
        _SIDE.fits(value[name]) for name in names
    ))  # fmt: skip


_APPLIED: dict[str, Kind] = {
    "do_resize": _FLAG,
    "do_center_crop": _FLAG,
    "do_rescale": _FLAG,
    "do_normalize": _FLAG,
    "do_convert_rgb": _FLAG,
    "size": either(_SIDE, _edges("shortest_edge"), _edges("height", "width"), NOTHING),
    "crop_size": either(_SIDE, _edges("height", "width"), NOTHING),
    "resample": either(Kind("one of 0, 1, 2 and 3 (nearest, Lanczos, bilinear, bicubic)", lambda value: type(value)
        is int and value in FILTERS), NOTHING),
    "rescale_factor": either(number(1e-9, 1000), NOTHING),
    "image_mean": either(_COLOUR, NOTHING),
    "image_std": either(_SPREAD, NOTHING),
    "image_processor_type": _NAME,
    "feature_extractor_type": _NAME,
    "patch_size": either(_SIDE, NOTHING),
    "max_num_patches": either(whole(1, MODEL_LIMITS.image_tokens), NOTHING),
    "default_to_square": _FLAG,
    "data_format": either(one_of("channels_first"), NOTHING),
}  # fmt: skip
# What says nothing of pixels.
_SILENT = frozenset({
    "processor_class", "device", "disable_grouping", "return_tensors", "input_data_format", "_valid_processor_keys",
    "model_input_names", "transformers_version", "image_seq_length", "backend", "resample_type",
})  # fmt: skip
_CODE = ("auto_map", "custom_pipelines", "trust_remote_code")

_OPENAI = {"image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711]}
_HALF = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
_ALWAYS = {"do_resize": True, "do_rescale": True, "do_normalize": True, "rescale_factor": 1 / 255}
_CLIP = {
    **_ALWAYS, **_OPENAI, "resample": 3, "size": {"shortest_edge": 224}, "do_center_crop": True,
    "crop_size": {"height": 224, "width": 224},
}  # fmt: skip
_SIGLIP = {**_ALWAYS, **_HALF, "resample": 3, "size": {"height": 224, "width": 224}, "do_center_crop": False}
DEFAULTS: dict[str, dict[str, Any]] = {
    "clip": _CLIP,
    "chinese_clip": _CLIP,
    "altclip": _CLIP,
    "siglip": _SIGLIP,
    "siglip2": {**_SIGLIP, "resample": 2, "size": None},
}


def described(raw: Any, family: str, name: str) -> dict[str, Any]:
    """What the image processor in a parsed file does. Raises `ModelError` whose line begins with `name`.

    `resize` is the shortest edge, a height and width, or None; `crop` a height and width or None; `mean` and `std`
    apply to pixels from 0 to 1, whatever the file rescales by.
    """
    if not isinstance(raw, dict):
        raise ModelError(f"{name} contains {kinds.shown(raw)}, not an object")
    for key in _CODE:
        if key in raw:
            raise ModelError(f"{name} names code to run ({key}); Loupe runs no code of a model, so it cannot be used")
    given = {key: value for key, value in raw.items() if key not in _SILENT and not key.startswith("_")}
    for key, value in given.items():
        if key not in _APPLIED and value is not None and value is not False:
            raise ModelError(
                f"{name} contains {kinds.shown(key)} = {kinds.shown(value)}, which Loupe does not apply to images"
            )
    given = {key: value for key, value in given.items() if key in _APPLIED and value is not None}
    kinds.check(given, _APPLIED, name)
    return _settled({**DEFAULTS[family], **given}, family, name)


def assumed(family: str, size: int) -> dict[str, Any]:
    """What the image processor of a model of this family does where no file describes one."""
    square = {"height": size, "width": size}
    edge = {"shortest_edge": size}
    sized = {"size": square} if family.startswith("siglip") else {"size": edge, "crop_size": square}
    return _settled({**DEFAULTS[family], **sized}, family, "the default")


def _settled(values: dict[str, Any], family: str, name: str) -> dict[str, Any]:
    factor = 255 * values["rescale_factor"] if values["do_rescale"] else 255.0
    normal = values["do_normalize"]
    mean = [value / factor for value in values["image_mean"]] if normal else [0.0] * 3
    std = [value / factor for value in values["image_std"]] if normal else [1 / factor] * 3
    resize, crop = values["size"], values.get("crop_size") if values["do_center_crop"] else None
    if values["do_center_crop"] and crop is None:
        raise ModelError(f"{name} crops images without saying to which size; add crop_size")
    if isinstance(crop, int):
        crop = {"height": crop, "width": crop}
    if isinstance(resize, dict):
        resize = resize.get("shortest_edge") or [resize["height"], resize["width"]]
    if not values["do_resize"]:
        resize = None
    if isinstance(resize, int) and crop is None:
        raise ModelError(
            f"{name} resizes the shortest edge and does not crop, so that images keep different shapes; this model "
            "needs crop_size and do_center_crop"
        )
    if resize is None and crop is None and family != "siglip2":
        raise ModelError(f"{name} neither resizes nor crops images; this model needs images of one size")
    return {
        "resize": resize,
        "crop": None if crop is None else [crop["height"], crop["width"]],
        "filter": FILTERS[values["resample"]],
        "mean": mean,
        "std": std,
    }
