"""Models of transformers as open_clip's networks: parts that a configuration of open_clip cannot name, and the names
of tensors.

Every rule moves, transposes or joins whole tensors, so that it works on the `meta` device as on any other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from core.errors import ModelError
from core.models.configuration import Conversion
from core.models.loading.families import ratio

State = dict[str, Tensor]

_SIGLIP = ("siglip", "siglip2")
_IMAGE, _TEXT = "vision_model.", "text_model."
# Either number: transformers has used both.
_LAYER = re.compile(r"encoder\.layers?\.(\d+)\.(.+)")
# Inside a block: transformers, open_clip's own transformer, timm's.
_IN_BLOCK = {
    "layer_norm1": ("ln_1", "norm1"),
    "layer_norm2": ("ln_2", "norm2"),
    "self_attn.out_proj": ("attn.out_proj", "attn.proj"),
    "mlp.fc1": ("mlp.c_fc", "mlp.fc1"),
    "mlp.fc2": ("mlp.c_proj", "mlp.fc2"),
}
_CLIP_IMAGE = {
    "embeddings.class_embedding": "visual.class_embedding",
    "embeddings.patch_embedding.weight": "visual.conv1.weight",
    "embeddings.position_embedding.weight": "visual.positional_embedding",
    "pre_layrnorm": "visual.ln_pre",
    "post_layernorm": "visual.ln_post",
}
_SIGLIP_IMAGE = {
    "embeddings.patch_embedding": "visual.trunk.patch_embed.proj",
    "embeddings.position_embedding.weight": "visual.trunk.pos_embed",
    "post_layernorm": "visual.trunk.norm",
    "head.probe": "visual.trunk.attn_pool.latent",
    "head.attention.out_proj": "visual.trunk.attn_pool.proj",
    "head.layernorm": "visual.trunk.attn_pool.norm",
    "head.mlp": "visual.trunk.attn_pool.mlp",
}
_OWN_TEXT = {
    "embeddings.token_embedding.weight": "token_embedding.weight",
    "embeddings.position_embedding.weight": "positional_embedding",
    "final_layer_norm": "ln_final",
    "head": "text_projection",
}
_ALT_TEXT = {"roberta": "transformer", "pre_LN": "proj.norm", "transformation": "proj.transformation"}


class TimmVision(nn.Module):
    """A timm trunk of any shape with the parts that open_clip's `TimmModel` has."""

    def __init__(self, trunk: nn.Module, image_size: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.head = nn.Sequential()
        self.image_size = (image_size, image_size)

    def forward(self, pixels: Tensor) -> Tensor:
        """Embeddings `(images, embedding)`, not normalised."""
        return self.head(self.trunk(pixels))


def stand_in(conversion: Conversion, vision: dict[str, Any]) -> dict[str, Any]:
    """The image tower that open_clip builds: for a family whose tower is another, a small one to be replaced."""
    if conversion.family not in _SIGLIP:
        return vision
    side = vision["image_size"]
    return {"layers": 1, "width": 8, "head_width": 8, "patch_size": side, "image_size": side}


def adapt(net: Any, conversion: Conversion) -> None:
    """Give a network of open_clip the parts of a transformers model that no configuration of open_clip names."""
    if conversion.family in _SIGLIP:
        net.visual = _siglip_tower(conversion)
    else:
        _activate(net.visual.transformer, conversion.image_activation)
    if conversion.text_activation is not None:
        _activate(getattr(net, "text", net).transformer, conversion.text_activation)
    if conversion.project is not None:
        wide = conversion.encoder or {}
        net.text.proj = nn.Sequential()
        net.text.proj.add_module("norm", nn.LayerNorm(wide["hidden_size"], eps=wide["layer_norm_eps"]))
        net.text.proj.add_module("transformation", nn.Linear(wide["hidden_size"], conversion.project))
        net.text.proj.add_module("projection", nn.Linear(conversion.project, net.text.output_dim, bias=False))


def activation(name: str) -> nn.Module:
    """The activation that `families.ACTIVATIONS` names."""
    from open_clip.transformer import QuickGELU

    made: dict[str, Callable[[], nn.Module]] = {
        "quick_gelu": QuickGELU,
        "gelu": nn.GELU,
        "gelu_tanh": partial(nn.GELU, approximate="tanh"),
        "relu": nn.ReLU,
        "silu": nn.SiLU,
    }
    return made[name]()


def _activate(transformer: Any, name: str) -> None:
    for block in transformer.resblocks:
        block.mlp.gelu = activation(name)


def _siglip_tower(conversion: Conversion) -> TimmVision:
    from timm.models.vision_transformer import VisionTransformer

    image = conversion.image
    trunk = VisionTransformer(
        img_size=image["image_size"],
        patch_size=image["patch_size"],
        num_classes=0,
        global_pool="map",
        class_token=False,
        embed_dim=image["hidden_size"],
        depth=image["num_hidden_layers"],
        num_heads=image["num_attention_heads"],
        mlp_ratio=ratio(image),
        norm_layer=partial(nn.LayerNorm, eps=image["layer_norm_eps"]),
        act_layer=partial(activation, conversion.image_activation),
        weight_init="skip",
    )
    return TimmVision(trunk, image["image_size"])


# -- the names of tensors -----------------------------------------------------------------------------------------


def converted(state: Mapping[str, Tensor], conversion: Conversion, name: str) -> State:
    """The state of a transformers model by open_clip's names.

    Names that no rule knows stay as they are, so that they are refused as unknown. Raises `ModelError`, whose line
    begins with `name`, for a state whose tensors cannot be joined.
    """
    made: State = {}
    parts: dict[str, dict[str, Tensor]] = {}
    for key, value in state.items():
        if key.endswith(".position_ids") or _unread(key, conversion):
            continue
        target, piece = _target(key, conversion)
        if piece:
            parts.setdefault(target, {})[piece] = value
        else:
            made[target] = _shaped(target, value, conversion)
    for target, pieces in parts.items():
        missing = [piece for piece in "qkv" if piece not in pieces]
        if missing or len({tuple(value.shape) for value in pieces.values()}) > 1:
            raise ModelError(f"{name} does not fit the configuration: it has no q, k and v of one shape for {target}")
        made[target] = torch.cat([pieces[piece] for piece in "qkv"])
    return _pool_split(made, conversion)


def _unread(key: str, conversion: Conversion) -> bool:
    """A pooler that old releases of these encoders carry and that no embedding reads."""
    return conversion.encoder is not None and key.startswith(("text_model.pooler.", "text_model.roberta.pooler."))


def _target(key: str, conversion: Conversion) -> tuple[str, str]:
    """Our name of a tensor, and which of "q", "k", "v" it is if it is one part of three."""
    siglip, custom = conversion.family in _SIGLIP, conversion.family != "clip"
    if key.startswith(_IMAGE):
        base = "visual.trunk.blocks" if siglip else "visual.transformer.resblocks"
        return _inside(key.removeprefix(_IMAGE), base, _SIGLIP_IMAGE if siglip else _CLIP_IMAGE, key, siglip)
    if key.startswith(_TEXT):
        rest = key.removeprefix(_TEXT)
        if conversion.encoder is not None:
            rest = rest.replace("encoder.layers.", "encoder.layer.")
        if conversion.family == "chinese_clip":
            return f"text.transformer.{rest}", ""
        if conversion.family == "altclip":
            return "text." + (_replaced(rest, _ALT_TEXT) or rest), ""
        before = "text." if custom else ""
        target, piece = _inside(rest, "transformer.resblocks", _OWN_TEXT, key, False)
        return (target if target == key else before + target), piece
    if key == "visual_projection.weight":
        return "visual.proj", ""
    if key == "text_projection.weight":
        last = "text.proj.projection.weight" if conversion.family == "altclip" else "text.proj.weight"
        return (last if conversion.encoder is not None else "text_projection"), ""
    return key, ""


def _inside(rest: str, base: str, names: Mapping[str, str], key: str, timm: bool) -> tuple[str, str]:
    layer = _LAYER.fullmatch(rest)
    if layer is None:
        return _replaced(rest, names) or key, ""
    number, inner = layer.groups()
    joined = re.fullmatch(r"self_attn\.([qkv])_proj\.(weight|bias)", inner)
    if joined:
        piece, what = joined.groups()
        return f"{base}.{number}.attn." + (f"qkv.{what}" if timm else f"in_proj_{what}"), piece
    found = _replaced(inner, {one: two[timm] for one, two in _IN_BLOCK.items()})
    return (f"{base}.{number}.{found}" if found else key), ""


def _replaced(name: str, names: Mapping[str, str]) -> str | None:
    """The name with its beginning, up to a full stop, as `names` has it."""
    for old, new in names.items():
        if name == old or name.startswith(old + "."):
            return new + name.removeprefix(old)
    return None


def _shaped(target: str, value: Tensor, conversion: Conversion) -> Tensor:
    if target in ("visual.proj", "text_projection") and value.ndim == 2:
        return value.T.contiguous()
    if target == "visual.trunk.pos_embed" and value.ndim == 2:
        return value[None]
    if target == "visual.trunk.patch_embed.proj.weight" and value.ndim == 2:
        # NaFlex embeds patches that are lists of pixels: row, column, colour.
        side = conversion.image["patch_size"]
        if value.shape[1] == side * side * 3:
            return value.unflatten(1, (side, side, 3)).permute(0, 3, 1, 2).contiguous()
    return value


def _pool_split(state: State, conversion: Conversion) -> State:
    """The pool's queries apart from its keys and values, as timm has them."""
    pool = "visual.trunk.attn_pool"
    for what in ("weight", "bias"):
        joined = state.pop(f"vision_model.head.attention.in_proj_{what}", None)
        if joined is not None:
            width = conversion.image["hidden_size"]
            state[f"{pool}.q.{what}"], state[f"{pool}.kv.{what}"] = joined[:width], joined[width:]
    return state
