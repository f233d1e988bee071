"""The mosaic pointing game on the images of the audit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.applications.application import Application, Chapter, Page, Work
from core.applications.mosaic.card import CARD

if TYPE_CHECKING:
    from core.applications.record import Record
    from core.rules import Rule


def _work() -> Work:
    from core.applications.mosaic.work import work

    return work


def _record() -> type[Record]:
    from core.applications.mosaic.record import MosaicRecord

    return MosaicRecord


def _chapter() -> Chapter:
    from core.applications.mosaic.chapter import sections

    return sections


def _rules() -> tuple[Rule, ...]:
    from core.applications.mosaic.rules import RULES

    return RULES


APPLICATION = Application(
    card=CARD,
    order=80,
    work=_work,
    record=_record,
    chapter=_chapter,
    rules=_rules,
    page=Page("Mosaics", ":material/grid_view:"),
)
