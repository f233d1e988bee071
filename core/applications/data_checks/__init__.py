"""The images and texts of an audit: quality, copies, images of another kind, languages, drift."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.applications.application import Application, Chapter, ImageFlags, ImageMeasures, Page, Work
from core.applications.data_checks.card import CARD

if TYPE_CHECKING:
    from core.applications.record import Record
    from core.rules import Rule


def _work() -> Work:
    from core.applications.data_checks.work import work

    return work


def _record() -> type[Record]:
    from core.applications.data_checks.record import DataRecord

    return DataRecord


def _chapter() -> Chapter:
    from core.applications.data_checks.chapter import sections

    return sections


def _rules() -> tuple[Rule, ...]:
    from core.applications.data_checks.rules import RULES

    return RULES


def _image_measures() -> ImageMeasures:
    from core.applications.data_checks.measures import image_measures

    return image_measures


def _image_flags() -> ImageFlags:
    from core.applications.data_checks.measures import image_flags

    return image_flags


APPLICATION = Application(
    card=CARD,
    order=50,
    work=_work,
    record=_record,
    chapter=_chapter,
    rules=_rules,
    page=Page("Data", ":material/image_search:"),
    image_measures=_image_measures,
    image_flags=_image_flags,
)
