"""What a model can offer a method, by name, and how to say that it does not."""

from __future__ import annotations

from collections.abc import Iterable

from core.languages import say

CAPABILITIES: dict[str, str] = {
    "embeddings": "embeds any image and any text into one space",
    "stored": "has embeddings or scores of the audited images and texts",
    "places": "projects each patch of the image into the joint space",
    "image_layers": "can be run from a chosen image layer onwards",
    "attention_pool": "pools its patches by an attention whose values can be read",
    "image_attention": "has image self-attention whose weights can be read and differentiated",
    "token_dropping": "can leave hidden patches out of the computation",
    "gradients": "can be differentiated",
    "text_words": "distinguishes the words of a text",
    "text_layers": "can be run from a chosen text layer onwards",
    "text_attention": "has text self-attention whose weights can be read and differentiated",
}  # messages
NEEDS, JOINED = "needs a model that ", " and "


def reason_missing(needs: Iterable[str], offered: Iterable[str]) -> str | None:
    """One line that says which needed capabilities are missing, or None if all are there."""
    have = set(offered)
    if "embeddings" in have:
        have.add("stored")
    missing = [CAPABILITIES[need] for need in needs if need not in have]
    if not missing:
        return None
    return NEEDS + JOINED.join(missing)


def reason_told(reason: str) -> str:
    """What `reason_missing` gave, as it was recorded, in the current language; any other line as it is."""
    rest = reason.removeprefix(NEEDS)
    if rest == reason:
        return reason
    missing = []
    while rest:
        part = next((one for one in CAPABILITIES.values() if f"{rest}{JOINED}".startswith(f"{one}{JOINED}")), None)
        if part is None:
            return reason
        missing.append(say(part))
        rest = rest[len(part) + len(JOINED) :]
    return say("needs a model that {capabilities}", capabilities=f" {say('and')} ".join(missing))
