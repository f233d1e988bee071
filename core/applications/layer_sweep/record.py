"""What the application `layer_sweep` measured, read from its folder. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import pandas as pd

from core.applications.record import Record
from core.runs.rows import Flag, ImageId, ImageName, Number, Numbers, OptionalNumber, Row, Text, Texts, Whole

SIDES = {"image": "image side", "text": "text side"}  # messages


class BlockRow(Row):
    """One row per image, side and block."""

    image: ImageId
    image_name: ImageName
    text: Annotated[Text, "the text"]
    side: Annotated[Text, "image or text: the tower that the bottleneck was inserted in"]
    block: Annotated[Whole, "block before the bottleneck, from 0"]
    default: Annotated[Flag, "whether it is the default of the method, the third from the end"]
    nats: Annotated[Number, "information retained in the whole state, special tokens included"]
    cosine: Annotated[Number, "cosine through the bottleneck"]
    score: Annotated[Number, "cosine of the pair without a bottleneck"]
    highlighted: Annotated[OptionalNumber, "cosine when only what the map highlights is left of this side"]
    random: Annotated[OptionalNumber, "the same for its values in random positions, mean over the random maps"]
    drop: Annotated[OptionalNumber, "max(0, score - highlighted)"]
    random_drop: Annotated[OptionalNumber, "the same for the random maps, mean of their drops"]
    increase: Annotated[OptionalNumber, "1 if highlighted is above score, else 0"]
    random_increase: Annotated[OptionalNumber, "the same for the random maps, their share"]
    rows: Annotated[Whole, "rows of the map"]
    columns: Annotated[Whole, "columns of the map"]
    words: Annotated[Texts, "words of the text; empty on the image side, and where the tokenizer is not known"]
    map: Annotated[Numbers, "nats per cell of the image or per word of the text, row by row"]


@dataclass(frozen=True)
class LayerSweepRecord(Record):
    """Bottlenecks at several blocks of both towers, and what their maps keep of the score.

    about: options, model, counts, the blocks of each side, and why a side was not run.
    blocks: one row per image, side and block.
    """

    blocks: Annotated[pd.DataFrame, BlockRow]

    NAME: ClassVar = "layer_sweep"
    TITLE: ClassVar = "information by layer"

    @property
    def sides(self) -> tuple[str, ...]:
        """The sides that were measured."""
        return tuple(side for side in SIDES if side in self.about["blocks"])

    @property
    def images(self) -> dict[str, str]:
        """The names of the images by id, in the order of measuring."""
        shown = self.blocks[["image", "image_name"]].drop_duplicates()
        return dict(zip(shown["image"], shown["image_name"], strict=True))

    def of(self, image: str, side: str) -> pd.DataFrame:
        """The rows of one image and side, the first block first."""
        found = self.blocks
        return found[(found["image"] == image) & (found["side"] == side)]


of_run, load = LayerSweepRecord.of_run, LayerSweepRecord.load
