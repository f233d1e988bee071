"""CLIP Surgery: segmentation, several labels at once and prompt points."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.applications.application import Application, Chapter, LabelUse, Page, Work
from core.applications.segmentation.card import CARD

if TYPE_CHECKING:
    from core.applications.record import Record


def _work() -> Work:
    from core.applications.segmentation.work import work

    return work


def _record() -> type[Record]:
    from core.applications.segmentation.record import SegmentationRecord

    return SegmentationRecord


def _chapter() -> Chapter:
    from core.applications.segmentation.chapter import sections

    return sections


def _labels() -> LabelUse:
    from core.applications.segmentation.record import label_use

    return label_use


APPLICATION = Application(
    card=CARD,
    order=20,
    work=_work,
    record=_record,
    chapter=_chapter,
    labels=_labels,
    page=Page("Segmentation", ":material/grid_on:"),
)
