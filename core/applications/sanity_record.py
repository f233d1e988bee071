"""What the application `sanity` measured, read from its folder. No torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from core.errors import RunError
from core.runs import Run

FOLDER = Path("applications") / "sanity"
CHECKS, ABOUT = "checks.parquet", "about.json"
# One row a picture, method, check and variant.
COLUMNS = ("image", "image_name", "text", "method", "check", "variant", "value")
# What each check measures. "rank correlation" is that of two maps of one method.
MEASURES = {
    "model": "rank correlation with the map of the model with weights drawn anew",
    "model_cosine": "absolute cosine with that map",
    "text": "rank correlation with the map for a text of another picture",
    "text_cosine": "absolute cosine with that map",
    "empty": "rank correlation with the map for the empty text",
    "noise": "spread of the map of a picture of noise, relative to this picture's",
    "seed": "mean rank correlation between two seeds",
    "flip": "rank correlation with the mirrored picture's map, mirrored back",
    "shift": "rank correlation with the shifted picture's map, shifted back",
    "sensitivity": "largest relative change of the map when the picture is slightly disturbed",
    "paraphrase": "rank correlation with the map for the text reworded",
    "paraphrase_score": "change of the score when the text is reworded",
}
VARIANTS = {
    "last_block": "last block",
    "upper_half": "upper half of the blocks",
    "image_tower": "whole image tower",
    "text_tower": "text tower",
    "photo": "\u201ca photo of \u2026\u201d",
    "stop": "full stop added or dropped",
    "case": "capital letters",
    "article": "an article dropped",
}
# The steps of drawing the image tower anew, each with all before it.
CASCADE = ("last_block", "upper_half", "image_tower")
# All variants of a check together, in tables.
EVERY = "all"


@dataclass(frozen=True)
class SanityRecord:
    """The sanity checks of a run.

    about: options, model, counts, how texts were chosen; `methods` has for each measured method its options, number of
        `pictures`, whether `all` checks or only the judged ones were run, `text_free` and `deterministic`; `problems`
        lists explanations that failed as [method, picture, state, reason].
    checks: `COLUMNS`, one row a picture, method, check (of `MEASURES`) and variant; unknown values are left out.
    """

    about: dict[str, Any]
    checks: pd.DataFrame

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that were measured, in the order of the plan."""
        return tuple(self.about["methods"])

    def text_free(self, method: str) -> bool:
        """Whether the method's card says that its maps are the same for every text."""
        return bool(self.about["methods"][method]["text_free"])

    def of(self, method: str, check: str, variant: str = EVERY) -> pd.DataFrame:
        """The rows of one method and check, of one variant or of all."""
        rows = self.of_check(check, variant)
        return rows[rows["method"] == method]

    def of_check(self, check: str, variant: str = EVERY) -> pd.DataFrame:
        """The rows of one check of every method, of one variant or of all."""
        rows = self.checks[self.checks["check"] == check]
        return rows if variant == EVERY else rows[rows["variant"] == variant]


def of_run(run: Run) -> SanityRecord | None:
    """The run's record, or None if it was not computed."""
    folder = run.folder / FOLDER
    return load(folder) if folder.is_dir() else None


def load(folder: Path) -> SanityRecord:
    """The record in `folder`. Raises `RunError` if it is missing or damaged."""
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        return SanityRecord(about, pd.read_parquet(folder / CHECKS))
    except (OSError, ValueError) as error:
        raise RunError(f"{folder} holds no complete record of the sanity checks; run it again ({error})") from error
