"""Which text tower fits an open_clip model, and the names by which others know the towers."""

from __future__ import annotations

from typing import Any

from core.models.blocks import open_clip_blocks
from core.models.towers.huggingface import ENCODERS, POOLERS, BertText, HuggingFaceText
from core.models.towers.text import OpaqueText, OpenClipText, TextTower

__all__ = ["BertText", "HuggingFaceText", "OpaqueText", "OpenClipText", "TextTower", "text_tower"]


def text_tower(model: Any, tokenizer: Any) -> TextTower:
    """The tower that fits an open_clip model's text side; an opaque one if its inside is not known."""
    import open_clip.transformer as native

    context = int(getattr(tokenizer, "context_length", 77) or 77)
    own = getattr(model, "text", None)
    if own is None or type(own) is native.TextTransformer:
        module, plain = (model, model.encode_text) if own is None else (own, own)
        blocks = open_clip_blocks(module.transformer.resblocks)
        if blocks is None:
            why = "its blocks do not behave as they are known to in this version of open_clip"
            return OpaqueText(module, tokenizer, context, plain, why)
        pool = getattr(module, "text_pool_type", None) or getattr(module, "pool_type", "argmax")
        if pool not in ("argmax", "eos", "first", "last"):
            return OpaqueText(
                module, tokenizer, context, plain, f"its pooling {pool!r} does not give a single embedding"
            )
        return OpenClipText(module, tokenizer, context, plain, blocks)
    kind = getattr(getattr(own, "config", None), "model_type", None)
    if kind not in ENCODERS:
        return OpaqueText(own, tokenizer, context, own, f"{kind or type(own).__name__} is not a supported encoder")
    pooler = type(getattr(own, "pooler", None)).__name__
    if pooler not in POOLERS:
        return OpaqueText(own, tokenizer, context, own, f"its pooling {pooler} is not supported")
    return ENCODERS[kind](own, tokenizer, context)
