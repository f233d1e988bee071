"""What tiny models of every family look like: open_clip configurations, and timm models small enough for a test.

Each stands for published models of its kind with the same parts in the same order; only sizes are smaller.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import timm
from timm.layers import HybridEmbed, LayerNorm
from timm.models.eva import Eva
from timm.models.fastvit import FastVit, RepConditionalPosEnc
from timm.models.swin_transformer import SwinTransformer
from timm.models.vision_transformer import VisionTransformer
from timm.models.vision_transformer_hybrid import ConvStem
from timm.models.vision_transformer_relpos import VisionTransformerRelPos
from timm.models.vitamin import GeGluMlp, MbConvStages, VitCfg
from torch import nn

VIT: dict[str, Any] = {"image_size": 64, "patch_size": 16, "width": 64, "head_width": 16, "layers": 4}
TEXT: dict[str, Any] = {"context_length": 20, "width": 48, "heads": 4, "layers": 4}
SMALL_TEXT: dict[str, Any] = {**TEXT, "width": 16}
SIGLIP_TEXT: dict[str, Any] = {**SMALL_TEXT, "no_causal_mask": True, "pool_type": "last"}
COCA_TEXT: dict[str, Any] = {**SMALL_TEXT, "embed_cls": True, "output_tokens": True}
SHORT: dict[str, Any] = {**VIT, "layers": 2}
WIDE: dict[str, Any] = {**SHORT, "image_size": [48, 80]}


def timm_vision(name: str, pool: str, proj: str | None = "linear", size: int | list[int] = 160) -> dict[str, Any]:
    """The image side of a configuration that names a timm model."""
    return {"timm_model_name": name, "timm_pool": pool, "timm_proj": proj, "image_size": size}


def _pooler(kind: str | bool, **more: Any) -> dict[str, Any]:
    return {**SHORT, "attentional_pool": kind, "attn_pooler_queries": 6, "attn_pooler_heads": 4, **more}


def _coca(**vision: Any) -> dict[str, Any]:
    return {
        "vision_cfg": {**_pooler(True), "output_tokens": True, **vision},
        "text_cfg": COCA_TEXT,
        "multimodal_cfg": {**SMALL_TEXT, "width": 32, "layers": 1},
        "custom_text": True,
    }


def _hugging_face(kind: str, pooler: str) -> dict[str, Any]:
    named = {"hf_model_name": f"words-{kind}", "hf_tokenizer_name": f"words-{kind}", "context_length": 20}
    return {"vision_cfg": SHORT, "text_cfg": {**named, "hf_pooler_type": pooler, "hf_proj_type": "linear"}}


def _trunk(name: str, pool: str, proj: str | None = None, size: int | list[int] = 64) -> dict[str, Any]:
    return {"vision_cfg": timm_vision(name, pool, proj, size), "text_cfg": SMALL_TEXT, "custom_text": True}


MORE_CONFIGS: dict[str, dict[str, Any]] = {
    "vit_clipa": {
        "vision_cfg": {**SHORT, "pool_type": "avg", "no_ln_pre": True, "final_ln_after_pool": True},
        "text_cfg": SIGLIP_TEXT,
    },
    "vit_own_attention": {
        "vision_cfg": {**WIDE, "qk_norm": True, "scale_heads": True, "scale_attn_inner": True, "scale_attn": True,
                       "scale_fc": True},
        "text_cfg": {**SMALL_TEXT, "layers": 2, "qk_norm": True, "scale_heads": True},
        "custom_text": True,
    },
    "vit_parallel": {"embed_dim": 64, "vision_cfg": _pooler("parallel"), "text_cfg": SMALL_TEXT},
    "vit_cascade": {"embed_dim": 64, "vision_cfg": _pooler("cascade"), "text_cfg": SMALL_TEXT},
    "coca": _coca(),
    "coca_wide": _coca(image_size=[48, 80], pool_type="avg"),
    "eva01": _trunk("loupe_eva01", "token"),
    "eva02": _trunk("loupe_eva02", "token"),
    "eva02_wide": _trunk("loupe_eva02_wide", "token", size=[48, 80]),
    "eva02_post_norm": _trunk("loupe_eva02_post_norm", "token"),
    "pe_core": _trunk("loupe_pe_core", "map"),
    "dinov3": _trunk("loupe_dinov3", "token", "linear"),
    "rope_mixed": _trunk("loupe_rope_mixed", "avg", "linear"),
    "dinov2": _trunk("loupe_dinov2", "token", "linear"),
    "mobileclip_b": _trunk("loupe_mobileclip_b", "token"),
    "mobileclip_s": _trunk("loupe_fastvit", "avg"),
    "vitamin": _trunk("loupe_vitamin", "", "linear"),
    "relpos": _trunk("loupe_relpos", "", "linear"),
    "swin": _trunk("loupe_swin", "", "linear"),
    "convnext_mlp": _trunk("test_convnext", "", "mlp"),
    "roberta": _hugging_face("roberta", "mean_pooler"),
    "mt5": _hugging_face("mt5", "mean_pooler"),
    "nllb": _hugging_face("m2m_100", "cls_pooler"),
}  # fmt: skip

# Shapes of Hugging Face encoders, by the end of the folder's name.
_BERT: dict[str, Any] = {
    "hidden_size": 48, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 96,
    "max_position_embeddings": 40, "type_vocab_size": 2,
}  # fmt: skip
ENCODERS: dict[str, dict[str, Any]] = {
    "bert": {"model_type": "bert", "architectures": ["BertModel"], "layer_norm_eps": 1e-12, **_BERT},
    "roberta": {"model_type": "roberta", "architectures": ["RobertaModel"], **_BERT, "num_hidden_layers": 2},
    "mt5": {
        "model_type": "mt5", "d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_decoder_layers": 1,
        "num_heads": 4, "relative_attention_num_buckets": 8, "relative_attention_max_distance": 16,
        "is_encoder_decoder": True,
    },
    "m2m_100": {
        "model_type": "m2m_100", "d_model": 32, "encoder_layers": 2, "decoder_layers": 1, "encoder_ffn_dim": 48,
        "decoder_ffn_dim": 48, "encoder_attention_heads": 4, "decoder_attention_heads": 4,
        "max_position_embeddings": 40, "is_encoder_decoder": True, "scale_embedding": True,
    },
}  # fmt: skip


# -- timm models --------------------------------------------------------------------------------------------------

_SIZED: dict[str, Any] = {"img_size": 64, "patch_size": 16, "embed_dim": 64, "num_heads": 4}


def _register(name: str, kind: Any, **shape: Any) -> None:
    def entry(pretrained: bool = False, **options: Any) -> nn.Module:
        kept = {key: options[key] for key in ("num_classes", "global_pool") if key in options}
        made = kind(**{**shape, **kept})
        # What timm itself would note of a model that it registers: nothing here depends on it.
        made.default_cfg = made.pretrained_cfg = {"pool_size": None}
        return made

    entry.__name__ = name
    if not timm.is_model(name):
        timm.models.register_model(entry)


_VIT: dict[str, Any] = {**_SIZED, "depth": 4}
_EVA: dict[str, Any] = {**_SIZED, "depth": 2}
_register("loupe_siglip", VisionTransformer, **_VIT, class_token=False, scale_attn_norm=True)
_register("loupe_registers", VisionTransformer, **_VIT, reg_tokens=2, qk_norm=True, init_values=0.5)
_register("loupe_dinov2", VisionTransformer, **_EVA, reg_tokens=4, no_embed_class=True, init_values=0.5)
_register("loupe_eva01", Eva, **_EVA, global_pool="token")
_EVA02: dict[str, Any] = {
    "qkv_fused": False, "mlp_ratio": 8 / 3, "swiglu_mlp": True, "scale_mlp": True, "scale_attn_inner": True,
    "use_rot_pos_emb": True, "ref_feat_shape": (3, 3),
}  # fmt: skip
_register("loupe_eva02", Eva, **_EVA, **_EVA02)
_register("loupe_eva02_wide", Eva, **{**_EVA, "img_size": (48, 80)}, **_EVA02)
_register("loupe_eva02_post_norm", Eva, **_EVA, use_post_norm=True)
_register(
    "loupe_pe_core", Eva, **_EVA, attn_type="rope", use_pre_transformer_norm=True, use_rot_pos_emb=True,
    ref_feat_shape=(4, 4), rope_grid_offset=1.0, rope_grid_indexing="xy", attn_pool_num_heads=4,
    attn_pool_mlp_ratio=4.0, norm_layer=partial(LayerNorm, eps=1e-5),
)  # fmt: skip
_register(
    "loupe_dinov3", Eva, **_EVA, qkv_bias=True, init_values=0.5, rope_type="dinov3", use_rot_pos_emb=True,
    use_abs_pos_emb=False, num_reg_tokens=4, rope_rotate_half=True,
)  # fmt: skip
_register(
    "loupe_rope_mixed", Eva, **_EVA, rope_type="mixed", use_rot_pos_emb=True, use_abs_pos_emb=False,
    class_token=False, global_pool="avg", init_values=0.5,
)  # fmt: skip
_register(
    "loupe_swin", SwinTransformer, img_size=64, patch_size=4, embed_dim=16, depths=(2, 2), num_heads=(2, 4),
    window_size=4,
)  # fmt: skip
_register(
    "loupe_relpos", VisionTransformerRelPos, **_EVA, class_token=True, rel_pos_type="mlp", global_pool="token",
    fc_norm=False, rel_pos_dim=16,
)  # fmt: skip


def _mobileclip_b(**options: Any) -> nn.Module:
    stem = ConvStem(channels=(16, 16, 64), stride=(4, 2, 2), kernel_size=(4, 2, 2), padding=0, act_layer=nn.GELU)
    embed = partial(HybridEmbed, backbone=stem, proj=False)
    return VisionTransformer(**{**_EVA, "patch_size": 1, **options}, embed_layer=embed, no_embed_class=True)


def _vitamin(**options: Any) -> nn.Module:
    stages = MbConvStages(VitCfg(embed_dim=(8, 16, 64), depths=(1, 1, 2), stem_width=8))
    embed = partial(HybridEmbed, backbone=stages, proj=False)
    shape = {**_EVA, "patch_size": 1, "class_token": False, "global_pool": "avg", "mlp_ratio": 2.0}
    return VisionTransformer(**{**shape, **options}, embed_layer=embed, mlp_layer=GeGluMlp)


def _fastvit(**options: Any) -> nn.Module:
    return FastVit(
        layers=(1, 1, 1, 1), embed_dims=(16, 16, 32, 32), mlp_ratios=(2, 2, 2, 2),
        se_downsamples=(False, False, True, True), lkc_use_act=True,
        pos_embs=(None, None, None, partial(RepConditionalPosEnc, spatial_shape=(7, 7))),
        token_mixers=("repmixer", "repmixer", "repmixer", "attention"), **options,
    )  # fmt: skip


_register("loupe_mobileclip_b", _mobileclip_b)
_register("loupe_vitamin", _vitamin)
_register("loupe_fastvit", _fastvit)
