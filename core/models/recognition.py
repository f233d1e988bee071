"""What of a loaded network decides its numbers and is seen in no score: activations, pooling, length of texts."""

from __future__ import annotations

from typing import Any

from torch import nn

_IMAGE_POOLS = {  # messages
    "tok": "class token", "token": "class token", "avg": "mean of the patches", "map": "attention pool",
    "none": "none", "": "none",
}  # fmt: skip
_TEXT_POOLS = {
    "argmax": "position of the highest token id",
    "first": "first position",
    "last": "last position, padding included",
}  # messages
# The report prints these in its language.
_TOKEN, _MEAN, _HEAD, _UNKNOWN = (
    "class token behind the text",
    "mean of the tokens",
    "by the head",
    "not known",
)  # messages


def recognised(net: Any, text: Any, source: dict[str, Any]) -> dict[str, Any]:
    """What was recognised, for a manifest. `source` holds the kind of files (`kind`) and `notes` of the loader."""
    visual = net.visual
    return {
        "kind": source.get("kind", "open_clip"),
        "image_activation": source.get("image_activation") or activations(visual),
        "text_activation": source.get("text_activation") or activations(_text_module(net, text)),
        "image_pooling": _image_pooling(visual),
        "text_pooling": _text_pooling(text),
        "context_length": int(text.context),
        "tokenizer": type(getattr(text.tokenizer, "tokenizer", text.tokenizer)).__name__,
        "notes": list(source.get("notes", ())),
    }


def _text_module(net: Any, text: Any) -> nn.Module:
    module: nn.Module = text.module if hasattr(net, "text") else net.transformer
    return module


def activations(module: nn.Module) -> str:
    """The activations in a module, by name, in the order in which they first occur."""
    found: dict[str, None] = {}
    for part in module.modules():
        name = type(part).__name__
        if not any(word in name.lower() for word in ("gelu", "relu", "silu", "swish")) or list(part.children()):
            continue
        tanh = getattr(part, "approximate", "none") == "tanh" and "tanh" not in name.lower()
        found[f"{name} (tanh)" if tanh else name] = None
    return ", ".join(found) or _UNKNOWN


def _image_pooling(visual: Any) -> str:
    if hasattr(visual, "trunk"):
        pool = getattr(visual.trunk, "global_pool", None)
        return _IMAGE_POOLS.get(pool, pool) if isinstance(pool, str) else _HEAD
    if getattr(visual, "attn_pool", None) is not None or hasattr(visual, "attnpool"):
        return _IMAGE_POOLS["map"]
    return _IMAGE_POOLS.get(getattr(visual, "pool_type", ""), _UNKNOWN)


def _text_pooling(text: Any) -> str:
    if getattr(text, "own_token", False):
        return _TOKEN
    if hasattr(text, "mean"):
        return _MEAN if text.mean else _TEXT_POOLS["first"]
    pool = getattr(text, "pool", "")
    if pool == "eos":
        return f"first end token (id {text.end_id})"
    return _TEXT_POOLS.get(pool, _UNKNOWN)
