"""What the application `pairs` measured, read from its folder. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import pandas as pd

from core.applications.record import Record
from core.runs.rows import ImageName, Number, Row, Text, Texts, Whole


class CaptionRow(Row):
    """One row per caption."""

    image: Annotated[Text, "id of the image that the caption belongs to"]
    image_name: ImageName
    caption: Annotated[Text, "the caption as it was given"]
    similarity: Annotated[Number, "cosine of caption and image"]
    fit: Annotated[Number, "similarity in standard deviations of unrelated pairs, over images and captions"]
    unrelated_share: Annotated[Number, "share of unrelated pairs that fit at least as well"]
    image_rank: Annotated[Whole, "rank of the image among all images for this caption; 1 is the best"]
    caption_rank: Annotated[Whole, "rank of the caption among all captions for this image; 1 is the best"]
    best_image: Annotated[Text, "id of the image with the highest similarity among those of other captions"]
    best_image_name: Annotated[Text, "its name"]


class NameRow(Row):
    """One row per caption of a plan with classes."""

    image: Annotated[Text, "id of the image that the caption belongs to"]
    image_name: ImageName
    caption: Annotated[Text, "the caption as it was given"]
    classes: Annotated[Texts, "the classes of the plan that it names, synonyms and narrower words included"]


@dataclass(frozen=True)
class PairsRecord(Record):
    """The fit of a run's captions with its images.

    about: options, model, and the numbers of images, captions and unrelated pairs.
    """

    captions: Annotated[pd.DataFrame, CaptionRow]
    names: Annotated[pd.DataFrame, NameRow]

    NAME = "pairs"
    TITLE = "captions and images"
    LATER: ClassVar = frozenset({"names"})
