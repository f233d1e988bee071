"""What the application `priors` found, read from its folder. No torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from core.errors import RunError

MAPS, CAPTIONS, ABOUT = "maps.parquet", "captions.parquet", "about.json"
# One row an explanation: one picture, one text, one way to cut the picture, one way to explain.
COLUMNS = (
    "image", "image_name", "value", "text", "prior", "way", "regions", "rows", "columns", "map", "shares", "areas",
    "names", "tokens", "empty", "full", "insertion", "deletion", "faithfulness", "agreement", "image_forwards",
    "alone_forwards", "text_forwards", "decoder_forwards",
)  # fmt: skip
CAPTION_COLUMNS = ("image", "image_name", "prior", "shown", "caption", "meaning")
VALUES = {
    "similarity": "cosine of picture and text",
    "caption_soft": "meaning of the caption, weighted over the audit's texts",
    "generated": "meaning of the generated caption",
}
PRIORS = {"semantic": "Semantic regions", "superpixels": "Superpixels", "grid": "Grid"}
WAYS = {"sentence": "whole sentence", "tokens": "token by token", "sampled": "whole sentence, a quarter of coalitions"}


@dataclass(frozen=True)
class PriorsRecord:
    """Explanations by regions.

    about: options, models, counts and what the generated maps were prepared with.
    maps: one row an explanation (`COLUMNS`); `map` is flat, `shares` are Shapley values of the regions.
    captions: one row a generated caption of one coalition (`CAPTION_COLUMNS`); empty if nothing was generated.
    """

    about: dict[str, Any]
    maps: pd.DataFrame
    captions: pd.DataFrame

    def of_value(self, value: str) -> pd.DataFrame:
        """The rows of one value function."""
        return self.maps[self.maps["value"] == value]


def load(folder: Path) -> PriorsRecord:
    """The record in `folder`. Raises `RunError` if it is missing or damaged."""
    try:
        about = json.loads((folder / ABOUT).read_text())
        return PriorsRecord(about, pd.read_parquet(folder / MAPS), pd.read_parquet(folder / CAPTIONS))
    except (OSError, ValueError) as error:
        raise RunError(f"{folder} holds no complete record of semantic priors; run them again ({error})") from error
