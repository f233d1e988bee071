"""open_clip's architectures with what a person chooses by: parameters, input size, context length, tags of weights.

    PYTHONPATH=. python benchmarks/architectures.py

writes `core/models/architectures.json`. Networks are built on the `meta` device, so that none takes memory. The sizes
of text encoders whose configuration lies on the hub are not known here.
"""

from __future__ import annotations

import json
from typing import Any

import torch
from open_clip.pretrained import list_pretrained_tags_by_model

from core.models.configuration import checked
from core.models.listing import ARCHITECTURES, architecture_file, architectures
from core.models.loading.network import build

# Any text encoder will do where only the image tower is counted.
_PLAIN_TEXT = {"context_length": 77, "vocab_size": 512, "width": 64, "heads": 4, "layers": 1}


def described(name: str) -> dict[str, Any]:
    """One row of the stored table; `text_parameters` is None where the encoder's shape is on the hub."""
    model = checked(json.loads(architecture_file(name).read_text(encoding="utf-8")), name)["model"]
    text = model["text_cfg"]
    elsewhere = "hf_model_name" in text
    built = {**model, "text_cfg": _PLAIN_TEXT, "custom_text": True} if elsewhere else model
    with torch.device("meta"):
        net: Any = build(built, name)
    image = sum(parameter.numel() for parameter in net.visual.parameters())
    text_side = [value for key, value in net.named_parameters() if not key.startswith(("visual.", "logit_"))]
    side = net.visual.image_size
    return {
        "image_parameters": image,
        "text_parameters": None if elsewhere else sum(value.numel() for value in text_side),
        "input": list(side) if isinstance(side, tuple | list) else [side, side],
        "context": int(text.get("context_length", 77)),
        "tags": list_pretrained_tags_by_model(name),
    }


def main() -> None:
    """Write the table, one architecture a line."""
    rows = [f" {json.dumps(name)}: {json.dumps(described(name))}" for name in architectures()]
    ARCHITECTURES.write_text("{\n" + ",\n".join(rows) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
