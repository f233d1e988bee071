"""The bundled sample: images with captions, and texts that suit them."""

from __future__ import annotations

from pathlib import Path

from core.datasets import read_texts
from core.errors import InputError
from core.settings import ROOT

FOLDER = ROOT / "core" / "sample"
NAME = "Bundled sample"


def sources() -> list[Path]:
    """The files of the sample. Raises `InputError` if this installation lacks them."""
    found = [path for path in (FOLDER / "images", FOLDER / "captions.csv") if path.exists()]
    if not found:
        raise InputError("this installation lacks the bundled sample; add your own images")
    return found


def texts(kind: str) -> tuple[str, ...]:
    """The sample's texts: `prompts` or `classes`."""
    file = FOLDER / f"{kind}.txt"
    return read_texts(file) if file.exists() else ()
