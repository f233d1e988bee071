"""Which image tower fits an open_clip model, and the names by which others know the towers."""

from __future__ import annotations

from typing import Any

from core.models.attention_pool import OpenClipResNet
from core.models.blocks import open_clip_blocks
from core.models.towers.base import ImageTower, OpaqueTower, TokenTower
from core.models.towers.eva import EvaVit, known_eva
from core.models.towers.maps import TimmCnn, TimmSwin, cnn_parts
from core.models.towers.vit import OpenClipVit, TimmRelPosVit, TimmVit

__all__ = [
    "EvaVit",
    "ImageTower",
    "OpaqueTower",
    "OpenClipResNet",
    "OpenClipVit",
    "TimmCnn",
    "TimmRelPosVit",
    "TimmSwin",
    "TimmVit",
    "TokenTower",
    "image_tower",
]


def image_tower(visual: Any) -> ImageTower:
    """The tower that fits an open_clip `visual` module; an opaque one if its inside is not known."""
    trunk = getattr(visual, "trunk", None)
    return _open_clip(visual) if trunk is None else _timm(visual, trunk)


def _open_clip(visual: Any) -> ImageTower:
    import open_clip.modified_resnet as resnet
    import open_clip.transformer as native

    if type(visual) is resnet.ModifiedResNet:
        if type(visual.attnpool) is resnet.AttentionPool2d:
            return OpenClipResNet(visual)
        return OpaqueTower(visual, "its pool is not CLIP's attention pool")
    if type(visual) is native.VisionTransformer:
        blocks = open_clip_blocks(visual.transformer.resblocks)
        if blocks is None:
            return OpaqueTower(visual, "its blocks do not behave as they are known to in this version of open_clip")
        return OpenClipVit(visual, blocks)
    return OpaqueTower(visual, f"{type(visual).__name__} is not a supported kind of open_clip tower")


def _timm(visual: Any, trunk: Any) -> ImageTower:
    from timm.models import vision_transformer as vit
    from timm.models import vision_transformer_relpos as relative

    if _own_pool(visual):
        return OpaqueTower(visual, "its trunk is followed by open_clip's own pooling")
    if type(trunk) is vit.VisionTransformer:
        plain = all(type(b) is vit.Block and type(b.attn) is vit.Attention for b in trunk.blocks)
        gated = any(getattr(b.attn, "gate", None) is not None for b in trunk.blocks)
        if plain and not gated and _sized(trunk):
            return TimmVit(visual)
        return OpaqueTower(visual, "its blocks are of an unsupported timm kind")
    if known_eva(trunk) and _sized(trunk):
        return EvaVit(visual)
    if type(trunk) is relative.VisionTransformerRelPos and _sized(trunk):
        return TimmRelPosVit(visual)
    if type(trunk).__name__ == "SwinTransformer":
        return TimmSwin(visual)
    if cnn_parts(trunk):
        return TimmCnn(visual)
    return OpaqueTower(visual, f"{type(trunk).__name__} is not a supported kind of timm tower")


def _sized(trunk: Any) -> bool:
    embed = trunk.patch_embed
    return len(getattr(embed, "img_size", None) or ()) == 2 and len(getattr(embed, "grid_size", None) or ()) == 2


def _own_pool(visual: Any) -> bool:
    return any(name == "pool" for name, _ in visual.head.named_children())
