"""Which models can be named: the embedded ones and open_clip's architectures. No torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

EMBEDDED = Path(__file__).parent / "embedded"
# What `benchmarks/architectures.py` writes.
ARCHITECTURES = Path(__file__).with_name("architectures.json")
DEFAULT = "demo-cnn"
# Image and text tower of a model that was exported to ONNX, by the names that exporters use.
ONNX_PAIRS = (
    ("visual.onnx", "textual.onnx"),
    ("vision_model.onnx", "text_model.onnx"),
    ("onnx/vision_model.onnx", "onnx/text_model.onnx"),
    ("visual/model.onnx", "textual/model.onnx"),
)


@dataclass(frozen=True)
class EmbeddedModel:
    """A model that comes with Loupe and needs no network."""

    name: str
    title: str
    summary: str
    capabilities: tuple[str, ...]
    image_depth: int
    text_depth: int
    card: dict[str, Any]

    @property
    def folder(self) -> Path:
        """Where its configuration, weights and tokenizer lie."""
        return EMBEDDED / self.name


def embedded_models() -> list[EmbeddedModel]:
    """The embedded models, the default first."""
    found = [_read(path) for path in sorted(EMBEDDED.glob("*/card.json"))]
    return sorted(found, key=lambda model: model.name != DEFAULT)


def embedded_name(name: str) -> str | None:
    """The embedded model that `name` means ("demo" is the default one), or None."""
    if name == "demo":
        return DEFAULT
    return name if any(model.name == name for model in embedded_models()) else None


@cache
def architectures() -> list[str]:
    """The names of open_clip's built-in configurations, read without importing it."""
    spec = find_spec("open_clip")
    if spec is None or spec.origin is None:
        return []
    return sorted(path.stem for path in (Path(spec.origin).parent / "model_configs").glob("*.json"))


@cache
def text_repositories() -> frozenset[str]:
    """The text models and tokenizers that open_clip's built-in configurations name on the hub."""
    found: set[str] = set()
    for name in architectures():
        text = json.loads(architecture_file(name).read_text(encoding="utf-8")).get("text_cfg", {})
        found |= {text[key] for key in ("hf_model_name", "hf_tokenizer_name") if text.get(key)}
    return frozenset(found)


def architecture_file(name: str) -> Path:
    """The configuration of one of `architectures`."""
    spec = find_spec("open_clip")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent / "model_configs" / f"{name}.json"


@dataclass(frozen=True)
class Architecture:
    """One of open_clip's architectures: parameters of each tower, input `(height, width)`, tokens, tags of weights.

    `text_parameters` is None where the shape of the text encoder is on the hub.
    """

    name: str
    image_parameters: int
    text_parameters: int | None
    input: tuple[int, int]
    context: int
    tags: tuple[str, ...]

    @property
    def size(self) -> str:
        """Parameters and input size, for a list of choices."""
        image, text = round(self.image_parameters / 1e6), self.text_parameters
        whole = f"{image + round(text / 1e6):,} M parameters" if text is not None else f"image tower {image:,} M"
        return f"{whole}, {self.input[0]} x {self.input[1]} pixels"


@cache
def architecture_table() -> dict[str, Architecture]:
    """The stored description of each of `architectures` that it knows, by name."""
    stored = json.loads(ARCHITECTURES.read_text(encoding="utf-8"))
    rows = {name: stored[name] for name in architectures() if name in stored}
    return {
        name: Architecture(name, **{**row, "input": tuple(row["input"]), "tags": tuple(row["tags"])})
        for name, row in rows.items()
    }


def _read(path: Path) -> EmbeddedModel:
    card = json.loads(path.read_text())
    return EmbeddedModel(
        name=path.parent.name,
        title=card["title"],
        summary=card["summary"],
        capabilities=tuple(card["capabilities"]),
        image_depth=card["image_depth"],
        text_depth=card["text_depth"],
        card=card,
    )
