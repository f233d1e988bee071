"""What the application `predictions` measured, read from its folder. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import pandas as pd

from core.applications.record import Record
from core.runs.rows import Flag, ImageName, Number, OptionalNumber, Row, Text, Texts


class PredictionRow(Row):
    """One row per image."""

    image: Annotated[Text, "id of the image"]
    image_name: ImageName
    predicted: Annotated[Text, "the class with the highest similarity"]
    second: Annotated[Text, "the class with the second highest similarity"]
    similarity: Annotated[Number, "cosine of the image and the predicted class"]
    margin: Annotated[Number, "lead over the second class, in standard deviations of the image's similarities"]
    probability: Annotated[Number, "softmax of the similarities at the model's own scale, of the predicted class"]
    entropy: Annotated[Number, "entropy of that softmax over that of equal classes, 0 to 1"]
    templates: Annotated[OptionalNumber, "share of prompt templates with the same best class; none without templates"]
    disturbances: Annotated[OptionalNumber, "share of small changes of the image with the same best class"]
    disturbed: Annotated[Texts, "the best class under each of these changes"]
    neighbours: Annotated[Number, "mean probability of the predicted class in the nearest images"]
    caption: Annotated[Text, "the first caption of the image; empty without one"]
    caption_classes: Annotated[Texts, "the classes that its captions name"]
    relation: Annotated[Text, "the caption and the predicted class: named, broader, other, none; empty without"]
    score: Annotated[Number, "implausibility, 0 to 1"]
    implausible: Annotated[Flag, "whether the score is above one half"]


@dataclass(frozen=True)
class PredictionsRecord(Record):
    """The best class of each image and how plausible it is.

    about: options, model, classes, templates, disturbances, number of images and forward passes.
    """

    predictions: Annotated[pd.DataFrame, PredictionRow]

    NAME = "predictions"
    TITLE = "the plausibility of predictions"
