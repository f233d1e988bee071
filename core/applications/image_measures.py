"""Values of single images by which groups of images can be compared, from whichever application measured them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

# Words that qualify another in a cell of the metadata, and state nothing by themselves.
DEGREES = frozenset(
    {
        "a",
        "and",
        "at",
        "bad",
        "extra",
        "good",
        "high",
        "in",
        "low",
        "medium",
        "middle",
        "no",
        "normal",
        "not",
        "of",
        "out",
    }
    | {"poor", "the", "to", "up", "very"}
)
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class ImageMeasure:
    """One value per image.

    name: unique, such as "predictions.flips".
    title: what a sentence prints, such as "lead of the best class".
    subject: "model" where a difference between groups says something about the model, "data" where about the images.
    values: by the id of the image; images without a value are missing.
    better: which values are favourable to a group: "higher", "lower", or neither by itself.
    states_errors: whether the values are 1 where the model is right and 0 where it is wrong.
    texts: by the id of the image, the text that its value is about; empty where it is about the image itself.
    words: those by which a column of the metadata states the same property, in lower case.
    """

    name: str
    title: str
    subject: Literal["model", "data"]
    values: Mapping[str, float]
    better: Literal["higher", "lower", ""] = ""
    states_errors: bool = False
    texts: Mapping[str, str] = field(default_factory=dict, compare=False)
    words: frozenset[str] = field(default=frozenset(), compare=False)

    def stated_by(self, column: str, value: str) -> bool:
        """Whether the name of a column of the metadata, or a whole cell of it, states what is measured here.

        "light" and "low light" state brightness; "light bulb" does not.
        """
        named, cell = (set(_WORD.findall(text.casefold())) for text in (column, value))
        return bool(self.words & named) or bool(self.words & cell and cell <= self.words | DEGREES)
