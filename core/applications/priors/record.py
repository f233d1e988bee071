"""What the application `priors` found, read from its folder. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import pandas as pd

from core.applications.record import Record
from core.runs.rows import ImageId, ImageName, Number, Numbers, OptionalNumber, Row, Text, Texts, Whole

VALUES = {
    "similarity": "cosine of image and text",
    "answer": "cosine of image and question with answer less that of image and question",
    "caption_soft": "meaning of the caption, weighted over the audit's texts",
    "generated": "meaning of the generated caption",
}  # messages
PRIORS = {
    "semantic": "Semantic regions",
    "superpixels": "Superpixels",
    "grid": "Grid",
    "drawn": "Drawn regions",
}  # messages: lower
WAYS = {
    "sentence": "whole sentence",
    "tokens": "token by token",
    "sampled": "whole sentence, a quarter of coalitions",
}  # messages

# The name of what no drawn region of its own covers.
REST = "the rest"


class MapRow(Row):
    """One row per explanation: image, text, value function, partition and way."""

    image: ImageId
    image_name: ImageName
    value: Annotated[Text, "value function: similarity, answer, caption_soft or generated"]
    text: Annotated[Text, "the text that was explained"]
    prior: Annotated[Text, "partition of the image: semantic, superpixels, grid or drawn"]
    way: Annotated[Text, "sentence, tokens or sampled"]
    regions: Annotated[Whole, "number of regions"]
    rows: Annotated[Whole, "rows of the map"]
    columns: Annotated[Whole, "columns of the map"]
    map: Annotated[Numbers, "the value of each cell's region, row by row"]
    shares: Annotated[Numbers, "Shapley value of each region"]
    areas: Annotated[Numbers, "share of the image that each region covers"]
    names: Annotated[Texts, "text of the audit nearest to each region, or its label; empty where neither is known"]
    tokens: Annotated[Texts, "tokens or words that were explained one by one; empty for whole sentences"]
    empty: Annotated[Number, "value of the fully masked image"]
    full: Annotated[Number, "value of the whole image"]
    insertion: Annotated[OptionalNumber, "area under the curve while the best regions are shown"]
    deletion: Annotated[OptionalNumber, "area under the curve while the best regions are hidden"]
    faithfulness: Annotated[OptionalNumber, "insertion minus deletion; 0 = no better than a random order"]
    agreement: Annotated[OptionalNumber, "rank correlation with the first way's map of the same value and text"]
    image_forwards: Annotated[Whole, "image forwards, shared among all texts of the image"]
    alone_forwards: Annotated[Whole, "image forwards that this explanation takes without sharing"]
    text_forwards: Annotated[Whole, "text forwards"]
    decoder_forwards: Annotated[Whole, "decoder forwards"]


class GeneratedRow(Row):
    """One row per generated caption: image, partition and coalition."""

    image: ImageId
    image_name: ImageName
    prior: Annotated[Text, "partition of the image: semantic, superpixels or grid"]
    shown: Annotated[Text, "which regions were shown: a 0 or 1 for each"]
    caption: Annotated[Text, "the caption"]
    meaning: Annotated[Number, "cosine with the caption of the whole image"]


@dataclass(frozen=True)
class PriorsRecord(Record):
    """Explanations by regions.

    about: options, models, counts and what the generated maps were prepared with.
    maps: one row per explanation.
    captions: one row per generated caption of one coalition; empty if nothing was generated.
    """

    maps: Annotated[pd.DataFrame, MapRow]
    captions: Annotated[pd.DataFrame, GeneratedRow]

    NAME: ClassVar = "priors"
    TITLE: ClassVar = "semantic priors"

    def of_value(self, value: str) -> pd.DataFrame:
        """The rows of one value function."""
        return self.maps[self.maps["value"] == value]


of_run, load = PriorsRecord.of_run, PriorsRecord.load
