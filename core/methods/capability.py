"""What a model can offer a method, by name, and how to say that it doesn't."""

from __future__ import annotations

from collections.abc import Iterable

CAPABILITIES: dict[str, str] = {
    "embeddings": "embeds images and texts into one space",
    "places": "projects each place of the image into the joint space",
    "image_layers": "can be run from a chosen image layer onwards",
    "attention_pool": "pools its places by an attention whose values can be read",
    "image_attention": "has image self-attention whose weights can be read and differentiated",
    "token_dropping": "can leave hidden places out of the computation",
    "text_layers": "can be run from a chosen text layer onwards",
    "text_attention": "has text self-attention whose weights can be read and differentiated",
}


def reason_missing(needs: Iterable[str], offered: Iterable[str]) -> str | None:
    """One line that says which needed capabilities are missing, or None if all are there."""
    have = set(offered)
    missing = [CAPABILITIES[need] for need in needs if need not in have]
    if not missing:
        return None
    return "needs a model that " + " and ".join(missing)
