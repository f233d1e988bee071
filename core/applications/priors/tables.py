"""The tables on semantic priors, for the report and the page. No torch."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from core.applications.priors.record import PRIORS, VALUES
from core.content.tables import ColumnSpec, TableSpec
from core.content.words import measured, number, shorten
from core.languages import say


def begun(text: str) -> str:
    """The text with a capital letter at its beginning."""
    return text[:1].upper() + text[1:]


def prior_title(prior: str) -> str:
    """How a partition of the image is called, as a title."""
    return begun(say(PRIORS[prior].lower()))


COMPARISON = TableSpec(
    ColumnSpec("Explained quantity", lambda row: say(VALUES[row.value]), share=15),
    ColumnSpec("How", "title", share=15, help="partition of the image, and estimator"),
    ColumnSpec("Regions", lambda row: number(row.regions, 1), "number", 9, value="regions"),
    ColumnSpec(
        "Image forward passes",
        lambda row: number(row.image_forwards, 0),
        "number",
        11,
        help="for one image and text, shared among all texts of the image",
        value="image_forwards",
    ),
    ColumnSpec(
        "Stand-alone",
        lambda row: number(row.alone_forwards, 0),
        "number",
        8,
        help="the same without shared forward passes",
        value="alone_forwards",
    ),
    ColumnSpec(
        "Text / decoder forwards",
        lambda row: f"{number(row.text_forwards, 0)} / {number(row.decoder_forwards, 0)}",
        "number",
        11,
    ),
    ColumnSpec(
        "Faithfulness",
        lambda row: measured(
            row.faithfulness, row.faithfulness_low, row.faithfulness_high, row.faithfulness_n, digits=3
        ),
        "number",
        16,
        help="insertion minus deletion over area, with 95 % interval over images; 0 = random order",
    ),
    ColumnSpec(
        "Agreement with the first",
        lambda row: measured(row.agreement, row.agreement_low, row.agreement_high, row.agreement_n),
        "number",
        15,
        help="rank correlation of the map with that of the first type of explanation",
    ),
)
DIFFERENCES = TableSpec(
    ColumnSpec("Explained quantity", lambda row: say(VALUES[row.value]), share=52),
    ColumnSpec("Against", lambda row: prior_title(row.prior), share=20),
    ColumnSpec("Difference", lambda row: measured(row.difference, row.low, row.high, row.n, digits=3), "number"),
)


@dataclass(frozen=True)
class CaptionRow:
    """A caption generated for an image of which only some regions are visible; `shown` has a 1 for each of these."""

    image: str
    shown: str
    caption: str
    meaning: float

    @property
    def visible(self) -> int:
        """The number of visible regions."""
        return self.shown.count("1")


CAPTIONS = TableSpec(
    ColumnSpec("Image", "image", share=24, only="report"),
    ColumnSpec(
        "Visible regions",
        lambda row: say("{part} of {whole}", part=row.visible, whole=len(row.shown)),
        "number",
        14,
    ),
    ColumnSpec("Which", "shown", "code", help="1: visible, 0: hidden", only="page"),
    ColumnSpec("Caption", lambda row: shorten(row.caption, 90), share=46),
    ColumnSpec(
        "Meaning retained",
        lambda row: number(row.meaning, 2),
        "number",
        16,
        "cosine of the caption's meaning with that of the caption for the whole image",
        value=lambda row: round(row.meaning, 3),
    ),
)


def caption_rows(frame: pd.DataFrame) -> list[CaptionRow]:
    """Rows of the record's `captions`, those with the most visible regions first."""
    columns = (frame[name] for name in ("image_name", "shown", "caption", "meaning"))
    rows = [CaptionRow(*row) for row in zip(*columns, strict=True)]
    return sorted(rows, key=lambda row: -row.visible)
