"""What the application `sanity` measured, read from its folder. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import pandas as pd

from core.applications.record import Record
from core.runs.rows import ImageId, ImageName, Number, OptionalText, Row, Text

# What each check measures. "rank correlation" is that of two maps of one method.
MEASURES = {
    "model": "rank correlation with the map of the model with re-initialised weights",
    "model_cosine": "absolute cosine with that map",
    "text": "rank correlation with the map for a text of another image",
    "text_cosine": "absolute cosine with that map",
    "empty": "rank correlation with the map for the empty text",
    "noise": "spread of the map of a noise image, relative to that of this image",
    "seed": "mean rank correlation between two seeds",
    "flip": "rank correlation with the map of the mirrored image, mirrored back",
    "shift": "rank correlation with the map of the shifted image, shifted back",
    "sensitivity": "largest relative change of the map when the image is slightly perturbed",
    "paraphrase": "rank correlation with the map for the reworded text",
    "paraphrase_score": "change of the score when the text is reworded",
}  # messages
VARIANTS = {
    "last_block": "last block",
    "upper_half": "upper half of the blocks",
    "image_tower": "whole image tower",
    "text_tower": "text tower",
    "photo": "\u201ca photo of \u2026\u201d",
    "stop": "full stop added or dropped",
    "case": "capital letters",
    "article": "an article dropped",
}  # messages
# The only rewording that every method explains; expensive methods explain no others.
FIRST_REWORDING = "photo"
# The steps of re-initialising the image tower, each with all before it.
CASCADE = ("last_block", "upper_half", "image_tower")
# All variants of a check together, in tables.
EVERY = "all"


class CheckRow(Row):
    """One row per image, method, check and variant."""

    image: ImageId
    image_name: ImageName
    text: Annotated[OptionalText, "the text that was explained"]
    method: Annotated[Text, "the method"]
    check: Annotated[Text, "the check; `docs/sanity.md` defines each"]
    variant: Annotated[Text, "which variant of the check, empty where it has one only"]
    value: Annotated[Number, "what the check measured"]


@dataclass(frozen=True)
class SanityRecord(Record):
    """The sanity checks of a run.

    about: options, model, counts, how texts were chosen; `methods` has for each measured method its options, number of
        `images`, whether `all` checks or only the judged ones were run, `text_free` and `deterministic`; `problems`
        lists explanations that failed as [method, image, state, reason].
    checks: one row per image, method, check (of `MEASURES`) and variant; unknown values are left out.
    """

    checks: Annotated[pd.DataFrame, CheckRow]

    NAME: ClassVar = "sanity"
    TITLE: ClassVar = "the sanity checks"

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


of_run, load = SanityRecord.of_run, SanityRecord.load
