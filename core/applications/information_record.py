"""What the application `information` measured, read from its folder. No torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from core.errors import RunError
from core.runs import Run

FOLDER = Path("applications") / "information"
PAIRS, MAPS, ABOUT = "pairs.parquet", "maps.parquet", "about.json"
# One row an optimised bottleneck: picture, text, side, price and seed.
PAIR_COLUMNS = (
    "image", "image_name", "side", "kind", "text", "price", "seed", "nats", "places", "cosine", "floor", "score",
)  # fmt: skip
# One row a picture, text, side and price, over all seeds.
MAP_COLUMNS = (
    "image", "image_name", "side", "kind", "text", "price", "rows", "columns", "tokens", "map", "spread", "agreement",
    "nib", "nib_agreement",
)  # fmt: skip
SIDES = {"image": "picture side", "text": "text side"}
KINDS = {"own": "own text", "wrong": "text of another picture"}


@dataclass(frozen=True)
class InformationRecord:
    """Information kept by the pairs of a run.

    about: options, model, counts, layers, how own and wrong texts were chosen.
    pairs: `PAIR_COLUMNS`. `nats` are kept in the whole state, class token included, of `places` places or tokens;
        `cosine` is what passes the bottleneck, `floor` what noise alone gives, `score` the untouched pair's.
    maps: `MAP_COLUMNS`. `map` is the mean over seeds in nats a place or token, flat, `spread` the standard deviation
        over seeds, `agreement` the mean rank correlation between two seeds' maps; `nib` is the narrowing bottleneck's
        map at the same state (signed, share of the cosine), `nib_agreement` its rank correlation with `map`. Special
        tokens are left out.
    """

    about: dict[str, Any]
    pairs: pd.DataFrame
    maps: pd.DataFrame

    @property
    def prices(self) -> tuple[float, ...]:
        """The prices of information, in the order asked for."""
        return tuple(self.about["options"]["prices"])

    @property
    def sides(self) -> tuple[str, ...]:
        """The sides that were measured."""
        return tuple(side for side in SIDES if side in set(self.pairs["side"]))

    @property
    def images(self) -> dict[str, str]:
        """The names of the pictures by id, in the order of the plan."""
        shown = self.maps[["image", "image_name"]].drop_duplicates()
        return dict(zip(shown["image"], shown["image_name"], strict=True))

    def of(self, image: str, side: str, price: float) -> pd.DataFrame:
        """The map rows of one picture, side and price, the own text first."""
        found = self.maps
        return found[(found["image"] == image) & (found["side"] == side) & (found["price"] == price)]


def of_run(run: Run) -> InformationRecord | None:
    """The run's record, or None if it was not computed."""
    folder = run.folder / FOLDER
    return load(folder) if folder.is_dir() else None


def load(folder: Path) -> InformationRecord:
    """The record in `folder`. Raises `RunError` if it is missing or damaged."""
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        return InformationRecord(about, pd.read_parquet(folder / PAIRS), pd.read_parquet(folder / MAPS))
    except (OSError, ValueError) as error:
        raise RunError(f"{folder} holds no complete record of information; run it again ({error})") from error
