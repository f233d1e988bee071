"""What the application `data_checks` measured, read from its folder. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import pandas as pd

from core.applications.record import Record
from core.runs.rows import ImageId, ImageName, Number, OptionalFlag, OptionalWhole, Row, Text, Whole


class ImageRow(Row):
    """One row per image."""

    image: ImageId
    image_name: ImageName
    light_99: Annotated[Number, "99th percentile of brightness, 0 to 1"]
    light_5: Annotated[Number, "5th percentile of brightness"]
    light: Annotated[Number, "mean brightness"]
    contrast: Annotated[Number, "standard deviation of brightness"]
    aspect: Annotated[Number, "shorter side over longer side"]
    size: Annotated[Number, "square root of the number of pixels"]
    entropy: Annotated[Number, "entropy of the colour histogram in bits"]
    edges: Annotated[Number, "standard deviation of edges at 64 pixels"]
    histogram: Annotated[Number, "standard deviation of the histogram at 64 pixels"]
    sharpness: Annotated[Number, "logarithm of the variance of the Laplacian over that of the luminance"]
    colour: Annotated[Number, "mean range of the channels, 0 to 1"]
    colours: Annotated[Number, "logarithm of the number of colours in 4,096 bins"]
    even: Annotated[Number, "share of neighbouring pixels that hardly differ"]
    slope: Annotated[Number, "slope of the power spectrum"]


class CopyRow(Row):
    """One row per pair of images that show the same."""

    image: ImageId
    image_name: ImageName
    group: Annotated[Whole, "number of the group of copies"]
    of: Annotated[Text, "id of the image that it is a copy of"]
    of_name: Annotated[Text, "its name"]
    correlation: Annotated[Number, "correlation of the aligned pixels"]


class KindRow(Row):
    """One row per image of another kind."""

    image: ImageId
    image_name: ImageName
    group: Annotated[Whole, "number of the group"]
    signal: Annotated[Text, "value that sets the group apart most"]
    z: Annotated[Number, "robust z of that value in this image"]


class TextRow(Row):
    """One row per text."""

    text: Annotated[Text, "the text"]
    kind: Annotated[Text, "caption, prompt or class"]
    images: Annotated[Whole, "images that have it as a caption"]
    language: Annotated[Text, "its language (ISO 639-1); empty where it is not certain"]
    certain: Annotated[Number, "probability of that language"]
    unread: Annotated[OptionalFlag, "whether the text tower does not read its end"]
    same: Annotated[OptionalWhole, "number of other texts of its kind that are equal in what is read, if it is cut"]


@dataclass(frozen=True)
class DataRecord(Record):
    """The images and texts of a run as they were measured.

    about: model, and the numbers of images and texts.
    """

    images: Annotated[pd.DataFrame, ImageRow]
    copies: Annotated[pd.DataFrame, CopyRow]
    kinds: Annotated[pd.DataFrame, KindRow]
    texts: Annotated[pd.DataFrame, TextRow]

    NAME = "data_checks"
    TITLE = "images and texts"
