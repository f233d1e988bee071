"""What was recognised of a model's files, in the words of the report: for its own section and before an audit.

The manifest has these facts in English. What is one of few words is printed in the language of the report; a note that
the loader wrote, and the name of a class or a file, stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from core.content.words import plural
from core.languages import say

# The pooling of a text tower that reads its end token: the id differs from model to model.
_END_TOKEN = re.compile(r"first end token \(id (\d+)\)")
Line = tuple[str, str]


def loading_lines(found: Mapping[str, Any]) -> list[Line]:
    """What decides a model's numbers and is seen in no score, and what was done to its files: label and value."""
    context = found.get("context_length")
    lines = [  # messages
        ("Kind of files", found.get("kind")),
        ("Activations (names in the code)", _sides(found, "activation")),
        ("Pooling", _sides(found, "pooling")),
        ("Rows", _rows(found)),
        ("Context length", say("{count} tokens", count=context) if context else None),
        ("Tokenizer", found.get("tokenizer")),
        *((say("Note on loading"), note) for note in found.get("notes", ())),
    ]
    return [(label, str(value)) for label, value in lines if value]


def recognition_lines(model: Mapping[str, Any]) -> list[Line]:
    """The model as a person checks it before an audit; `model` is its description for a manifest."""
    prepared = model.get("preprocessing") or {}
    size = f"{prepared['width']} \u00d7 {prepared['height']} pixels" if prepared else None
    parameters = model.get("parameters")
    lines = [
        ("Family", model.get("architecture")),
        ("Parameters", f"{parameters:,}" if parameters else None),
        ("Input", size),
        ("Joint space", f"{model['embed_dim']} dimensions" if model.get("embed_dim") else None),
        *loading_lines(model.get("recognised") or {}),
        ("Weights file, SHA-256", model.get("weights_sha256")),
    ]
    return [(label, str(value)) for label, value in lines if value]


def _rows(found: Mapping[str, Any]) -> str | None:
    """How many images and texts a table holds that stands in for a model."""
    if "images" not in found:
        return None
    return f"{plural(found['images'], 'image')}, {plural(found['texts'], 'text')}"


def _sides(found: Mapping[str, Any], what: str) -> str | None:
    image, text = found.get(f"image_{what}"), found.get(f"text_{what}")
    if not image or not text:
        return None
    return say("{image} (image), {text} (text)", image=_word(str(image)), text=_word(str(text)))


def _word(recorded: str) -> str:
    """What the manifest says of one side, in the language of the report where it is no name of a class."""
    token = _END_TOKEN.fullmatch(recorded)
    return say("first end token (id {id})", id=token[1]) if token else say(recorded)
