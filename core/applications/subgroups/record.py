"""What the application `subgroups` measured, read from its folder. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import pandas as pd

from core.applications.record import Record
from core.runs.rows import ImageId, ImageName, Number, Row, Text


class AssociationRow(Row):
    """One row per image."""

    image: ImageId
    image_name: ImageName
    value: Annotated[Number, "mean cosine with the words less that with the audit's texts, or with a second list"]


class WordRow(Row):
    """One row per image and word."""

    image: ImageId
    word: Annotated[Text, "a word of the list"]
    value: Annotated[Number, "cosine with the word less the same"]


@dataclass(frozen=True)
class GroupsRecord(Record):
    """The association of images with a list of words.

    Everything else that groups are compared by lies in the results and in the records of other applications.
    about: options, model, the words, and the numbers of images and columns.
    """

    associations: Annotated[pd.DataFrame, AssociationRow]
    words: Annotated[pd.DataFrame, WordRow]

    NAME = "subgroups"
    TITLE = "groups of images"
    LATER = frozenset({"words"})
