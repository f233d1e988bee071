"""Whether the best class of each image is plausible, without labels; a spot check by people; labels where given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.applications.application import Application, Chapter, ImageMeasures, LabelUse, Page, Population, Work
from core.applications.predictions.card import CARD

if TYPE_CHECKING:
    from core.applications.record import Record
    from core.rules import Rule


def _work() -> Work:
    from core.applications.predictions.work import work

    return work


def _record() -> type[Record]:
    from core.applications.predictions.record import PredictionsRecord

    return PredictionsRecord


def _chapter() -> Chapter:
    from core.applications.predictions.chapter import sections

    return sections


def _rules() -> tuple[Rule, ...]:
    from core.applications.predictions.rules import RULES

    return RULES


def _population() -> Population:
    from core.applications.predictions.strata import population

    return population


def _image_measures() -> ImageMeasures:
    from core.applications.predictions.image_values import image_measures

    return image_measures


def _labels() -> LabelUse:
    from core.applications.predictions.labels import label_use

    return label_use


APPLICATION = Application(
    card=CARD,
    order=60,
    work=_work,
    record=_record,
    chapter=_chapter,
    rules=_rules,
    page=Page("Predictions", ":material/rule:"),
    spot_check=_population,
    image_measures=_image_measures,
    labels=_labels,
)
