"""What the application `reliance` measured, read from its folder. No torch."""

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

FOLDER = Path("applications") / "reliance"
ABOUT = "about.json"
_PAIR = ("image", "image_name", "text", "text_kind")
# One table a file; the columns of each in order.
TABLES: dict[str, tuple[str, ...]] = {
    "pictures": (
        "image", "image_name", "best", "score", "confidence", "spread", "own", "light", "contrast", "colour", "detail",
        "embedding",
    ),
    "regions": (
        *_PAIR, "region", "kind", "concept", "nearest", "related", "kin", "area", "share", "share_method", "fall",
        "control", "only", "total", "rows", "columns", "cells",
    ),
    "places": (*_PAIR, "place", "area", "inside", "fall", "control", "total"),
    "stickers": (
        "image", "image_name", "own", "pasted", "letters", "row", "column", "margin", "with_word", "with_letters",
        "spread", "best_with_word", "best_with_letters",
    ),
    "templates": ("image", "image_name", "template", "best", "own", "score", "spread"),
    "texts": (*_PAIR, "method", "words", "function", "share", "fall", "total"),
    "words": ("text", "text_kind", "at", "word", "function", "change", "fall", "pictures"),
    "carriers": ("word", "carrier", "change", "typical"),
    "twins": ("word", "other", "kin", "carrier", "distance", "typical"),
    "alone": ("image", "image_name", "text", "best", "place", "shown", "total"),
}  # fmt: skip
CORNERS = {
    "top left": "upper left corner",
    "top right": "upper right corner",
    "bottom left": "lower left corner",
    "bottom right": "lower right corner",
}
EDGES = ("border", *CORNERS)
PLACES = {"border": "outer ring", **CORNERS, "background": "background", "foreground": "foreground"}


@dataclass(frozen=True)
class RelianceRecord:
    """What the scores of a run rest on.

    A score is a cosine minus the mean cosine of the audit's other texts ("contrast"; the cosine itself where there is
    only one text). `fall` is what it loses when a part is hidden, `control` the mean loss when the same shape is
    hidden elsewhere, `total` what the whole picture has beyond an empty one.

    about: options, model, counts, how pictures were cut, which texts.
    pictures: best text, its cosine, softmax confidence, spread of the texts' cosines, mean score of its captions, what
        the model is shown (mean and spread of luminance, mean range of the channels, mean step between neighbours, all
        of a range of 1), the unit embedding.
    regions: one row a picture, text and region. `kind` groups regions that look alike over all pictures and `concept`
        is its name; `related` is the concept's rank among all candidates by nearness to the text, 0 to 1; `kin` says
        that WordNet knows the concept as a word of the text or as above or below one; `share` is that of positive
        attribution; `only` the score of the region alone beyond the empty picture; `cells` the region, flat.
    places: the same for the ring, the corners, fore- and background; `inside` is the share of the place in the
        foreground.
    stickers: margin between the own and the pasted class, clean, with the word and with letters that say nothing.
    templates: the best class under each template alone; `own` is the score of the plan's best class.
    texts: per text method the share of positive attribution on function words; `fall` without all of them.
    words: leaving one word out: 1 - cosine of the embeddings, and the mean fall over the text's pictures.
    carriers: the same for content words in fixed sentences; `typical` is the median over words in that sentence.
    twins: for each content word the one that it can be told from least, by the largest 1 - cosine of the same fixed
        sentence with either; `typical` is the median over pairs of words in that sentence; `kin` as above.
    alone: for each picture, class and place (ring and corners) the score of the place shown by itself, and of the whole
        picture, beyond an empty one; `best` says whether it is the picture's best class.
    """

    about: dict[str, Any]
    pictures: pd.DataFrame
    regions: pd.DataFrame
    places: pd.DataFrame
    stickers: pd.DataFrame
    templates: pd.DataFrame
    texts: pd.DataFrame
    words: pd.DataFrame
    carriers: pd.DataFrame
    twins: pd.DataFrame
    alone: pd.DataFrame

    def cells(self, row: Any) -> NDArray[np.float64]:
        """The cells `(rows, columns)` of one row of `regions`, 1 inside."""
        return np.asarray(row.cells, dtype=float).reshape(int(row.rows), int(row.columns))

    @property
    def images(self) -> dict[str, str]:
        """The names of the pictures by id, in the order of the plan."""
        return dict(zip(self.pictures["image"], self.pictures["image_name"], strict=True))


def frames(rows: dict[str, list[dict[str, Any]]]) -> dict[str, pd.DataFrame]:
    """The tables of `rows`, every one of `TABLES` with its columns, empty where nothing was measured."""
    return {name: pd.DataFrame(rows.get(name, []), columns=list(columns)) for name, columns in TABLES.items()}


def save(folder: Path, about: dict[str, Any], tables: dict[str, pd.DataFrame]) -> None:
    """Write the files that `load` reads."""
    for name, columns in TABLES.items():
        tables[name][list(columns)].to_parquet(folder / f"{name}.parquet", index=False)
    (folder / ABOUT).write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def of_run(run: Run) -> RelianceRecord | None:
    """The run's record, or None if it was not computed."""
    folder = run.folder / FOLDER
    return load(folder) if folder.is_dir() else None


def load(folder: Path) -> RelianceRecord:
    """The record in `folder`. Raises `RunError` if it is missing or damaged."""
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        return RelianceRecord(about, **{name: pd.read_parquet(folder / f"{name}.parquet") for name in TABLES})
    except (OSError, ValueError) as error:
        raise RunError(f"{folder} holds no complete record of what scores rest on; run it again ({error})") from error
