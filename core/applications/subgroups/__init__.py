"""Groups of images: whether the model treats them differently, and whether their images differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.applications.application import Application, Chapter, ImageMeasures, LabelUse, Page, Work
from core.applications.subgroups.card import CARD

if TYPE_CHECKING:
    from core.applications.record import Record
    from core.rules import Rule


def _work() -> Work:
    from core.applications.subgroups.work import work

    return work


def _record() -> type[Record]:
    from core.applications.subgroups.record import GroupsRecord

    return GroupsRecord


def _chapter() -> Chapter:
    from core.applications.subgroups.chapter import sections

    return sections


def _rules() -> tuple[Rule, ...]:
    from core.applications.subgroups.rules import RULES

    return RULES


def _image_measures() -> ImageMeasures:
    from core.applications.subgroups.measures import image_measures

    return image_measures


def _labels() -> LabelUse:
    from core.applications.subgroups.labels import label_use

    return label_use


APPLICATION = Application(
    card=CARD,
    order=70,
    work=_work,
    record=_record,
    chapter=_chapter,
    rules=_rules,
    page=Page("Groups", ":material/groups:"),
    image_measures=_image_measures,
    labels=_labels,
)
