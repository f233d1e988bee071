"""What the application `information` measured, read from its folder. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import pandas as pd

from core.applications.record import Record
from core.runs.rows import ImageId, ImageName, Number, Numbers, OptionalNumber, Row, Text, Texts, Whole

SIDES = {"image": "image side", "text": "text side"}  # messages
KINDS = {"own": "own text", "wrong": "text of another image"}  # messages


class PairRow(Row):
    """One row per optimised bottleneck: image, text, side, weight and seed."""

    image: ImageId
    image_name: ImageName
    side: Annotated[Text, "image or text: the tower that the bottleneck was inserted in"]
    kind: Annotated[Text, "own or wrong text"]
    text: Annotated[Text, "the text"]
    price: Annotated[Number, "weight of the information term relative to the cosine"]
    seed: Annotated[Whole, "seed of the optimisation"]
    nats: Annotated[Number, "information retained in the whole state, class token included"]
    places: Annotated[Whole, "patches or tokens of the state"]
    cosine: Annotated[Number, "cosine through the bottleneck"]
    floor: Annotated[Number, "cosine of noise alone"]
    score: Annotated[Number, "cosine of the pair without a bottleneck"]


class MapRow(Row):
    """One row per image, text, side and weight, over all seeds."""

    image: ImageId
    image_name: ImageName
    side: Annotated[Text, "image or text: the tower that the bottleneck was inserted in"]
    kind: Annotated[Text, "own or wrong text"]
    text: Annotated[Text, "the text"]
    price: Annotated[Number, "weight of the information term relative to the cosine"]
    rows: Annotated[Whole, "rows of the map"]
    columns: Annotated[Whole, "columns of the map"]
    tokens: Annotated[Texts, "tokens of the text without special ones; empty on the image side"]
    map: Annotated[Numbers, "mean over seeds of the information retained, nats per patch or token, row by row"]
    spread: Annotated[Numbers, "its standard deviation over seeds"]
    agreement: Annotated[OptionalNumber, "mean rank correlation of the maps of two seeds"]
    nib: Annotated[Numbers, "map of the narrowing bottleneck at the same state: share of the cosine, signed"]
    nib_agreement: Annotated[OptionalNumber, "its rank correlation with `map`"]


@dataclass(frozen=True)
class InformationRecord(Record):
    """Information kept by the pairs of a run.

    about: options, model, counts, layers, how own and wrong texts were chosen.
    pairs: one row per optimised bottleneck.
    maps: one row per image, text, side and weight, over all seeds; special tokens are left out.
    """

    pairs: Annotated[pd.DataFrame, PairRow]
    maps: Annotated[pd.DataFrame, MapRow]

    NAME: ClassVar = "information"
    TITLE: ClassVar = "information"

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
        """The names of the images by id, in the order of the plan."""
        shown = self.maps[["image", "image_name"]].drop_duplicates()
        return dict(zip(shown["image"], shown["image_name"], strict=True))

    def of(self, image: str, side: str, price: float) -> pd.DataFrame:
        """The map rows of one image, side and price, the own text first."""
        found = self.maps
        return found[(found["image"] == image) & (found["side"] == side) & (found["price"] == price)]


of_run, load = InformationRecord.of_run, InformationRecord.load
