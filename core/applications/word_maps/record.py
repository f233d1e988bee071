"""What the application `word_maps` measured, read from its folder. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.applications.record import Record
from core.runs.rows import Flag, ImageId, ImageName, Number, Numbers, OptionalNumber, Row, Text, Whole

INTERACTION, SHARED = "interaction", "shared"
WAYS = {INTERACTION: "Interactions", SHARED: "Shared map"}  # messages
REST = -1


class MapRow(Row):
    """One row per image, way and word."""

    image: ImageId
    image_name: ImageName
    text: Annotated[Text, "the text that was explained"]
    way: Annotated[Text, "interaction or shared"]
    place: Annotated[Whole, "position of the word in the text; -1: the part of a shared map that belongs to no word"]
    word: Annotated[Text, "the word; empty at position -1"]
    function: Annotated[Flag, "whether it is a function word"]
    effect: Annotated[OptionalNumber, "mean gain of the cosine when the word is kept; interactions only"]
    rows: Annotated[Whole, "rows of the map"]
    columns: Annotated[Whole, "columns of the map"]
    map: Annotated[Numbers, "raw map, row by row, sign kept"]


class TextRow(Row):
    """One row per image."""

    image: ImageId
    image_name: ImageName
    text: Annotated[Text, "the text that was explained"]
    words: Annotated[Whole, "number of words"]
    functions: Annotated[Whole, "number of function words"]
    score: Annotated[Number, "cosine of image and whole text"]
    base: Annotated[Number, "cosine with half of the cells and half of the words hidden"]
    r2: Annotated[OptionalNumber, "share of variance over unseen coalitions that cells and words explain"]
    r2_pairs: Annotated[OptionalNumber, "the same with pairs of a cell and a word"]
    image_share: Annotated[OptionalNumber, "share of variance over coalitions that the hidden cells alone settle"]
    words_share: Annotated[OptionalNumber, "the same of the hidden words alone"]
    pair_share: Annotated[OptionalNumber, "the same of both together: the rest"]
    exact: Annotated[Flag, "whether every set of words was evaluated for the shared map"]


@dataclass(frozen=True)
class WordMapsRecord(Record):
    """The maps of single words of a run's images.

    about: options, model, counts, how texts were chosen, the method whose map is shared, and `problems` as
        [image, reason].
    maps: one row per image, way and word; a shared map has one more, at `REST`.
    texts: one row per image.
    """

    maps: Annotated[pd.DataFrame, MapRow]
    texts: Annotated[pd.DataFrame, TextRow]

    NAME: ClassVar = "word_maps"
    TITLE: ClassVar = "word maps"

    def of(self, image: str, way: str) -> pd.DataFrame:
        """The rows of one image and way in the order of the words; of a shared map the rest comes first."""
        part = self.maps[(self.maps["image"] == image) & (self.maps["way"] == way)]
        return part.sort_values("place", kind="stable")

    @property
    def images(self) -> dict[str, str]:
        """The explained images: names by id."""
        return dict(zip(self.texts["image"], self.texts["image_name"], strict=True))


def grid(row: MapRow) -> NDArray[np.float64]:
    """The map of one row `(rows, columns)`."""
    return np.asarray(row.map, dtype=np.float64).reshape(int(row.rows), int(row.columns))


of_run, load = WordMapsRecord.of_run, WordMapsRecord.load
