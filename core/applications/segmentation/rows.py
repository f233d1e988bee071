"""What there is a row per in the tables of open-vocabulary segmentation, and their columns. No torch."""

from __future__ import annotations

from typing import Annotated

from core.applications.segmentation.multilabel import RECIPES
from core.runs.rows import (
    Int32,
    Number,
    OptionalFlag,
    OptionalNumber,
    OptionalString,
    Row,
    Short,
    Singles,
    String,
    Whole,
)


class MapRow(Row):
    """One row per image and map."""

    image: Annotated[String, "content id of the image"]
    image_name: Annotated[String, "its name"]
    kind: Annotated[String, "label, empty, caption or token"]
    text: Annotated[String, "what was mapped"]
    caption: Annotated[OptionalString, "the caption that a token belongs to"]
    method: Annotated[String, "method that made the map"]
    rows: Annotated[Short, "rows of the map"]
    columns: Annotated[Short, "columns of the map"]
    map: Annotated[Singles, "raw map, row by row, sign kept"]
    cosine: Annotated[OptionalNumber, "cosine of image and text"]
    share: Annotated[OptionalNumber, "share of the seen image that the label covers"]
    empty_before: Annotated[OptionalNumber, "share of the map's variance that the map of the empty text explains"]
    empty_after: Annotated[OptionalNumber, "the same after the labels' common part is removed"]


class AreaRow(Row):
    """One row per image and label."""

    image: Annotated[String, "content id of the image"]
    image_name: Annotated[String, "its name"]
    label: Annotated[String, "the label; empty for the background"]
    number: Annotated[Int32, "its value in the mask"]
    pixels: Annotated[Whole, "pixels that it covers"]
    seen: Annotated[Whole, "pixels of the image that the model saw"]
    share: Annotated[OptionalNumber, "the one over the other"]
    cosine: Annotated[OptionalNumber, "cosine of image and label"]


class RecognitionRow(Row):
    """One row per image and label."""

    image: Annotated[String, "content id of the image"]
    image_name: Annotated[String, "its name"]
    label: Annotated[String, "the label"]
    cosine: Annotated[Number, RECIPES["cosine"]]
    softmax: Annotated[Number, RECIPES["softmax"]]
    class_surgery: Annotated[Number, RECIPES["class_surgery"]]
    best_place: Annotated[Number, RECIPES["best_place"]]
    rank: Annotated[Int32, "rank of the label in the image by the recipe of the plan, from 1"]
    truth: Annotated[OptionalFlag, "whether the image is annotated with the label"]


class OverlapRow(Row):
    """One row per image, kind of map and label."""

    image: Annotated[String, "content id of the image"]
    image_name: Annotated[String, "its name"]
    map: Annotated[String, "kind of map"]
    label: Annotated[String, "the label"]
    intersection: Annotated[Whole, "pixels in both the map's area and the annotated one"]
    union: Annotated[Whole, "pixels in either"]
    true: Annotated[Whole, "pixels of the annotated area"]


class TokenRow(Row):
    """One row per image, caption and token."""

    image: Annotated[String, "content id of the image"]
    image_name: Annotated[String, "its name"]
    caption: Annotated[String, "the caption"]
    position: Annotated[Int32, "position of the token"]
    token: Annotated[String, "the token"]
    score: Annotated[OptionalNumber, "cosine of the whole image with the token"]
    peak: Annotated[OptionalNumber, "highest value of its map"]
