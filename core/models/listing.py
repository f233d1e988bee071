"""Which models can be named: the embedded ones and open_clip's architectures. No torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

EMBEDDED = Path(__file__).parent / "embedded"
DEFAULT = "demo-cnn"


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
