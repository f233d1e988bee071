"""What the application `word_maps` measured, read from its folder. No torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.errors import RunError
from core.runs import Run

FOLDER = Path("applications") / "word_maps"
MAPS, TEXTS, ABOUT = "maps.parquet", "texts.parquet", "about.json"
INTERACTION, SHARED = "interaction", "shared"
WAYS = {INTERACTION: "Interactions", SHARED: "Shared map"}
# One row a picture, way and word. A shared map has one row more, place -1: what is left without any word.
MAP_COLUMNS = (
    *("image", "image_name", "text", "way", "place", "word", "function", "effect"),
    *("rows", "columns", "map"),
)
# One row a picture.
TEXT_COLUMNS = ("image", "image_name", "text", "words", "functions", "score", "base", "r2", "r2_pairs", "exact")
REST = -1


@dataclass(frozen=True)
class WordMapsRecord:
    """The maps of single words of a run's pictures.

    about: options, model, counts, how texts were chosen, the method whose map is shared, and `problems` as
        [picture, reason].
    maps: `MAP_COLUMNS`; `map` `(rows, columns)`, flat, on the cells of its way; `effect`, what keeping the word adds to
        the cosine on the mean over everything else (interactions only).
    texts: `TEXT_COLUMNS`; `score` is the cosine of picture and whole text, `base` that with half of both; `r2` and
        `r2_pairs` the share of the score's variance over unseen coalitions that is explained without and with pairs;
        `exact`, whether every set of words was asked for the shared map.
    """

    about: dict[str, Any]
    maps: pd.DataFrame
    texts: pd.DataFrame

    def of(self, image: str, way: str) -> pd.DataFrame:
        """The rows of one picture and way in the order of the words; of a shared map the rest comes first."""
        part = self.maps[(self.maps["image"] == image) & (self.maps["way"] == way)]
        return part.sort_values("place", kind="stable")

    @property
    def images(self) -> dict[str, str]:
        """The explained pictures: names by id."""
        return dict(zip(self.texts["image"], self.texts["image_name"], strict=True))


def grid(row: Any) -> NDArray[np.float64]:
    """The map of one row `(rows, columns)`."""
    return np.asarray(row.map, dtype=np.float64).reshape(int(row.rows), int(row.columns))


def of_run(run: Run) -> WordMapsRecord | None:
    """The run's record, or None if it was not computed."""
    folder = run.folder / FOLDER
    return load(folder) if folder.is_dir() else None


def load(folder: Path) -> WordMapsRecord:
    """The record in `folder`. Raises `RunError` if it is missing or damaged."""
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        return WordMapsRecord(about, pd.read_parquet(folder / MAPS), pd.read_parquet(folder / TEXTS))
    except (OSError, ValueError) as error:
        raise RunError(f"{folder} holds no complete record of word maps; run it again ({error})") from error
