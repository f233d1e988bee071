"""Reliance: which regions, concepts, words and surroundings the scores rest on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.applications.application import Application, Chapter, ImageMeasures, Page, Work
from core.applications.reliance.card import CARD

if TYPE_CHECKING:
    from core.applications.record import Record
    from core.rules import Rule


def _work() -> Work:
    from core.applications.reliance.work import work

    return work


def _record() -> type[Record]:
    from core.applications.reliance.record import RelianceRecord

    return RelianceRecord


def _chapter() -> Chapter:
    from core.applications.reliance.chapter import sections

    return sections


def _rules() -> tuple[Rule, ...]:
    from core.applications.reliance.rules import RULES

    return RULES


def _image_measures() -> ImageMeasures:
    from core.applications.reliance.image_values import image_measures

    return image_measures


APPLICATION = Application(
    card=CARD,
    order=60,
    work=_work,
    record=_record,
    chapter=_chapter,
    rules=_rules,
    page=Page("Reliance", ":material/foundation:"),
    image_measures=_image_measures,
)
